import * as Automerge from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Documents } from '../storage/documents.ts'

const MAX_RECENT = 2_000

/**
 * A document the repo holds, and what of it is stored. Nothing that tells of a change leaves before the change is
 * durable: an acknowledgement, and the change itself to others.
 */
export class OpenDocument {
  readonly handle: DocHandle<unknown>
  readonly #id: DocumentId
  readonly #documents: Documents
  #stored: Automerge.Heads
  #durable: Promise<void> = Promise.resolve()
  /** The last operation of recent changes, by hash. */
  readonly #lastOps = new Map<string, number>()
  #pending = 0
  #used = true
  #broken = false

  /** @param changed called after each change */
  constructor (id: DocumentId, handle: DocHandle<unknown>, documents: Documents, changed: () => void) {
    this.#id = id
    this.handle = handle
    this.#documents = documents
    this.#stored = this.#heads()
    handle.on('heads-changed', ({ doc }) => {
      this.#store(doc)
      changed()
    })
  }

  /** Merges chunks that have been verified; durable when resolved. */
  async merge (chunks: Uint8Array): Promise<void> {
    this.handle.update(document => Automerge.loadIncremental(document, chunks))
    await this.#durable
  }

  /** Runs once every change that has been made until the end of this tick is durable; in the order of the calls. */
  whenDurable (run: () => void): void {
    // the repo sends from within the change, before it says that there is one
    queueMicrotask(() => { this.#durable.then(run, () => {}) }) // never durable: nothing leaves
  }

  /**
   * Whether it can be saved and loaded again. A change that fails half-way (Automerge panics on some that it can read)
   * leaves heads behind that nobody was told of.
   */
  isSound (): boolean {
    return !this.#broken && String(this.#heads()) === String(this.#stored)
  }

  /** Whether it is in use, or was since the last call; changes that are not durable count. */
  touch (inUse: boolean): boolean {
    const used = this.#used || inUse || this.#pending > 0
    this.#used = inUse
    return used
  }

  #heads (): Automerge.Heads {
    return this.handle.isReady() ? Automerge.getHeads(this.handle.doc()) : []
  }

  #store (document: Automerge.Doc<unknown>): void {
    const changes = Automerge.getChangesMetaSince(document, this.#stored)
    this.#broken ||= !changes.every(change => this.#isCounted(document, change))
    if (this.#broken) {
      this.#durable = Promise.reject(new RelayError('RELAY_SYNC_INVALID', 'the document is broken'))
      this.#durable.catch(() => {}) // never stored, and nothing that tells of it leaves
      return
    }
    const bytes = Automerge.saveSince(document, this.#stored)
    this.#stored = Automerge.getHeads(document)
    this.#pending++
    this.#durable = this.#documents.append(this.#id, bytes).finally(() => { this.#pending-- })
    this.#durable.catch(() => {}) // told to whoever waits for it
  }

  /**
   * Whether a change's operations are counted on from those it depends on. Automerge applies it if they are not, but
   * cannot load the document once it is saved.
   */
  #isCounted (document: Automerge.Doc<unknown>, { hash, deps, startOp, maxOp }: Automerge.ChangeMetadata): boolean {
    if (deps.some(dep => !this.#lastOps.has(dep))) {
      for (const change of Automerge.getChangesMetaSince(document, [])) if (deps.includes(change.hash)) this.#lastOps.set(change.hash, change.maxOp)
    }
    const counted = deps.every(dep => startOp > (this.#lastOps.get(dep) ?? Infinity))
    this.#lastOps.set(hash, maxOp)
    if (this.#lastOps.size > MAX_RECENT) for (const old of [...this.#lastOps.keys()].slice(0, MAX_RECENT / 2)) this.#lastOps.delete(old)
    return counted
  }
}
