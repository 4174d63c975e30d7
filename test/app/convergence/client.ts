import * as Automerge from '@automerge/automerge'
import { Repo, type AutomergeUrl, type DocHandle, type PeerId } from '@automerge/automerge-repo'
import type { DocumentId } from '../../../lib/ids.ts'
import { random } from '../../fuzz.ts'
import { Adapter } from './adapter.ts'
import { blank, edit, type Sample } from './edits.ts'
import { hashesOf, type History } from './history.ts'
import { Link } from './link.ts'
import { MemoryStorage } from './memory-storage.ts'

const RETRY = 100 // ms

/**
 * How a client comes back: having written everything, killed, with an earlier storage, with documents older than its
 * sync states.
 */
export type Comeback = 'closed' | 'killed' | 'stale' | 'torn'

/** An automerge-repo client that may lose its connection, its process and part of its storage. */
export class Client {
  readonly name: string
  readonly #link: Link
  readonly #history: History
  readonly #own = new Map<DocumentId, Set<string>>()
  readonly #acknowledged = new Map<DocumentId, Set<string>>()
  readonly #fixedId: PeerId | undefined
  #storage: MemoryStorage | undefined
  #earlier: MemoryStorage | undefined
  #repo!: Repo
  #adapter!: Adapter

  private constructor (name: string, link: Link, history: History, stores: boolean, peerId: PeerId | undefined) {
    this.name = name
    this.#link = link
    this.#history = history
    this.#fixedId = peerId
    this.#storage = stores ? new MemoryStorage() : undefined
    this.#begin()
  }

  /** @param peerId the same over restarts; else automerge-repo's own, a new one each time */
  static async start (
    name: string,
    relay: number | undefined,
    history: History,
    { stores = false, peerId = undefined as PeerId | undefined } = {}
  ): Promise<Client> {
    return new Client(name, await Link.start(relay), history, stores, peerId)
  }

  get peerId (): PeerId { return this.#repo.peerId }
  get online (): boolean { return this.#link.up }
  get stores (): boolean { return this.#storage !== undefined }

  /** Says where the relay is. */
  relayAt (port: number | undefined): void { this.#link.target = port }

  create (): DocumentId {
    const handle = this.#repo.create<Sample>(blank())
    const id = handle.documentId as string as DocumentId
    this.#note(id, Automerge.getAllChanges(handle.doc()))
    return id
  }

  /** Asks for a document, or opens it from storage. */
  open (id: DocumentId): void {
    // unavailable: it may come
    this.#repo.find(`automerge:${id}` as AutomergeUrl, { allowableStates: ['ready', 'unavailable', 'requesting'] })
      .catch(() => {})
  }

  /** @returns undefined while it has none of it */
  document (id: DocumentId): Automerge.Doc<Sample> | undefined {
    const handle = this.#handle(id)
    return handle?.isReady() === true ? handle.doc() : undefined
  }

  stateOf (id: DocumentId): string { return this.#handle(id)?.state ?? 'not opened' }

  /** What was said last of a document. */
  said (id: DocumentId): string[] { return this.#adapter.said(id) }

  /** Changes one of the documents it has, if it has one, in a way that the seed and what is in it decide. */
  edit (seed: number): void {
    const below = random(seed)
    const ready = this.#handles.filter(handle => handle.isReady())
    if (ready.length === 0) return
    const handle = ready[below(ready.length)]!
    const before = handle.doc()
    handle.change(doc => { edit(doc, below) })
    this.#note(handle.documentId as string as DocumentId, Automerge.getChanges(before, handle.doc()))
  }

  /** Loses the connection: cut, or closed in good order, or held open with nothing moving. */
  disconnect (how: 'cut' | 'closed' | 'held'): void {
    this.#link.up = false
    if (how === 'cut') this.#link.cut()
    else if (how === 'held') this.#link.hold()
    else this.#adapter.socket?.close()
  }

  /** Has a connection again, though perhaps another; one that was held is gone for the client but not for the relay. */
  reconnect (): void {
    if (this.#link.up) return
    this.#link.up = true
    const socket =
      this.#adapter.socket as unknown as { readyState: number, OPEN: number, terminate: () => void } | undefined
    if (socket?.readyState === socket?.OPEN) socket?.terminate()
  }

  /** Keeps a copy of what is stored now. */
  backUp (): void { this.#earlier = this.#storage?.copy() }

  /** Ends and starts anew with what its storage has then. */
  async restart (how: Comeback): Promise<void> {
    if (how === 'closed') {
      await this.#repo.flush(this.#handles.filter(handle => handle.isReady()).map(({ documentId }) => documentId))
    }
    this.#adapter.retire()
    const now = this.#storage?.copy() // what ends may still write to its own
    const earlier = this.#earlier?.copy() ?? now
    const storage = how === 'stale' ? earlier : how === 'torn' ? earlier?.withSyncStatesOf(now!) : now
    const opened = this.#handles.map(({ documentId }) => documentId as string as DocumentId)
    for (const id of new Set([...opened, ...this.#own.keys()])) {
      const chunks = storage?.chunks(id) ?? []
      const kept = chunks.length === 0 ? new Set<string>() : hashesOf(Automerge.load(Buffer.concat(chunks)))
      const had = this.document(id)
      this.#history.lose(
        id,
        had === undefined ? new Set() : hashesOf(had),
        this.#of(this.#own, id),
        this.#of(this.#acknowledged, id),
        kept
      )
    }
    this.#storage = storage
    this.#begin()
    for (const id of opened) this.open(id)
  }

  /** Leaves for good. */
  end (): void {
    this.#adapter.retire()
    this.#link.close()
  }

  get #handles (): Array<DocHandle<Sample>> { return Object.values(this.#repo.handles) as Array<DocHandle<Sample>> }

  #handle (id: DocumentId): DocHandle<Sample> | undefined { return this.#repo.handles[id as never] }

  #begin (): void {
    this.#adapter = new Adapter(this.#link.url, RETRY)
    this.#repo = new Repo({
      network: [this.#adapter],
      ...this.#storage !== undefined && { storage: this.#storage },
      ...this.#fixedId !== undefined && { peerId: this.#fixedId }
    })
    this.#repo.synchronizer.on('sync-state', ({ documentId, syncState }) => {
      const known = this.#of(this.#acknowledged, documentId as string as DocumentId)
      for (const hash of syncState.theirHeads ?? []) known.add(hash)
    })
  }

  #note (id: DocumentId, changes: Uint8Array[]): void {
    const own = this.#of(this.#own, id)
    for (const hash of this.#history.add(id, changes)) own.add(hash)
  }

  #of (sets: Map<DocumentId, Set<string>>, id: DocumentId): Set<string> {
    let set = sets.get(id)
    if (set === undefined) sets.set(id, set = new Set())
    return set
  }
}
