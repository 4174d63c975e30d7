import * as Automerge from '@automerge/automerge'
import { Repo, type DocHandle } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import type { DocumentId } from '../../../lib/ids.ts'
import type { Fields, OnHeads } from './light-peer.ts'

/** A real automerge-repo client, which says what the relay acknowledged. */
export class RepoWriter {
  readonly #repo: Repo
  readonly #adapter: WebSocketClientAdapter
  readonly #handles = new Map<DocumentId, DocHandle<Fields>>()
  readonly #spoiled = new Set<DocumentId>()

  constructor (url: string, onHeads: OnHeads) {
    this.#adapter = new WebSocketClientAdapter(url.replace('http', 'ws'), 100)
    this.#repo = new Repo({ network: [this.#adapter] })
    this.#repo.synchronizer.on('sync-state', ({ documentId, syncState }) => {
      if (syncState.theirHeads) onHeads(documentId as string as DocumentId, syncState.theirHeads)
    })
  }

  create (): DocumentId {
    const handle = this.#repo.create<Fields>({ made: true })
    const id = handle.documentId as string as DocumentId
    this.#handles.set(id, handle)
    return id
  }

  /**
   * Changes a document; one that the client has spoiled (it does when it sends on a socket that is closing) stays as it
   * is.
   */
  edit (id: DocumentId, fields: Fields): void {
    if (this.#spoiled.has(id)) return
    try {
      this.#handles.get(id)!.change(doc => { Object.assign(doc, fields) })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#spoiled.add(id)
    }
  }

  get documents (): Array<{ id: DocumentId, actor: string, doc: Automerge.Doc<Fields> }> {
    return [...this.#handles].map(([id, handle]) => ({
      id, actor: Automerge.getActorId(handle.doc()), doc: handle.doc()
    }))
  }

  close (): void {
    this.#adapter.connect = () => {} // a reconnect that is already due would go on for ever
    const socket = this.#adapter.socket as NodeJS.EventEmitter | undefined
    socket?.on('error', () => {}) // closing it while it connects is one
    if (socket !== undefined) this.#adapter.disconnect()
  }
}
