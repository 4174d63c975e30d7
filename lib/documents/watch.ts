import { setTimeout as sleep } from 'node:timers/promises'
import type { Hash } from '../automerge/format/hash.ts'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { DocumentService } from './documents.ts'
import { headsText } from './heads.ts'

/** Who is told of a document's changes. */
export interface Listener {
  /** Whether it takes more at the moment. */
  readonly isReady: boolean
  /** Whether it is to be told what has changed, and not only that something has. */
  readonly wantsPatches: boolean
  /** Whether it may know of them still. */
  permits (): boolean | Promise<boolean>
  /**
   * The document has these heads now.
   * @param patch a JSON Patch as text, from the last heads it was told; when there is one
   */
  changed (heads: Hash[], patch?: { from: Hash[], text: string }): void
  /** Nothing more comes. */
  end (error: RelayError): void
}

const PAUSE_MS = 100 // ms between two rounds at least: what changes meanwhile is told at once

/**
 * The changes of one document for all who listen. What has changed is found once for all that were told the same
 * before; who does not take more is told later, of everything at once. Rounds follow each other no faster than they can
 * be made.
 */
export class Watch {
  readonly #id: DocumentId
  readonly #documents: Pick<DocumentService, 'heads' | 'diff'>
  readonly #log: Log
  /** Each with the heads it was told last. */
  readonly #listeners = new Map<Listener, Hash[]>()
  #isDue = false
  #running = false

  constructor (id: DocumentId, documents: Pick<DocumentService, 'heads' | 'diff'>, log: Log) {
    this.#id = id
    this.#documents = documents
    this.#log = log
  }

  get isIdle (): boolean { return this.#listeners.size === 0 }

  /** @param told the heads it knows */
  add (listener: Listener, told: Hash[]): void {
    this.#listeners.set(listener, told)
    this.poke()
  }

  delete (listener: Listener): void {
    this.#listeners.delete(listener)
  }

  /** There may be something to tell. */
  poke (): void {
    this.#isDue = true
    if (!this.#running) this.#run().catch(() => {}) // everybody has been told
  }

  /** Ends everybody. */
  end (error: RelayError): void {
    for (const listener of this.#listeners.keys()) listener.end(error)
    this.#listeners.clear()
  }

  async #run (): Promise<void> {
    this.#running = true
    try {
      while (this.#isDue && !this.isIdle) {
        this.#isDue = false
        const begun = performance.now()
        await this.#tell(await this.#documents.heads(this.#id))
        await sleep(Math.max(PAUSE_MS, performance.now() - begun), undefined, { ref: false })
      }
    } catch (cause) {
      this.end(this.#refusalOf(cause))
    } finally {
      this.#running = false
    }
  }

  async #tell (heads: Hash[]): Promise<void> {
    const patches = new Map<string, Promise<string | undefined>>()
    for (const [listener, told] of [...this.#listeners]) {
      const from = headsText(told)
      if (!listener.isReady || from === headsText(heads)) continue
      if (listener.wantsPatches && !patches.has(from)) patches.set(from, this.#patch(told, heads))
      const text = listener.wantsPatches ? await patches.get(from) : undefined
      const refusal = await this.#whyNot(listener)
      if (!this.#listeners.has(listener)) continue
      if (refusal === undefined) {
        this.#listeners.set(listener, heads)
        listener.changed(heads, text === undefined ? undefined : { from: told, text })
      } else {
        this.#listeners.delete(listener)
        listener.end(refusal)
      }
    }
  }

  /**
   * Why a listener may not know of it any more, if so; that it cannot be found out is this one's trouble, not the
   * others'.
   */
  async #whyNot (listener: Listener): Promise<RelayError | undefined> {
    try {
      return await listener.permits()
        ? undefined
        : new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${this.#id}`)
    } catch (cause) {
      return this.#refusalOf(cause)
    }
  }

  #refusalOf (cause: unknown): RelayError {
    const error = cause instanceof RelayError ? cause : new RelayError('RELAY_INTERNAL', 'internal error', { cause })
    if (error.statusCode >= 500) {
      this.#log.error({ documentId: this.#id, err: cause }, `events ended: ${messageOf(cause)}`)
    }
    return error
  }

  /** Nothing when it cannot be made: the document is too large, or the heads are none of its. */
  async #patch (from: Hash[], to: Hash[]): Promise<string | undefined> {
    try {
      return Buffer.from(await this.#documents.diff(this.#id, from, to)).toString()
    } catch (error) {
      if (['RELAY_HEADS_UNKNOWN', 'RELAY_DOCUMENT_TOO_LARGE', 'RELAY_DOCUMENT_BUSY'].includes(codeOf(error) ?? '')) {
        return undefined
      }
      throw error
    }
  }
}
