import { getChangesMetaSince, getHeads, hasHeads, type Heads } from '@automerge/automerge'
import {
  Repo, decodeHeads, interpretAsDocumentId, type AnyDocumentId, type DocHandle, type DocumentId, type PeerId
} from '@automerge/automerge-repo'
import { randomUUID } from 'node:crypto'
import type { DocumentId as RelayDocumentId } from '../ids.ts'
import type { EngineAdapter } from './engine-adapter.ts'

/**
 * A `Repo` whose storage is the relay: what concerns storage in a Repo's interface concerns the relay's. It knows only
 * the documents its user has created or asked for.
 */
export class EngineRepo extends Repo {
  readonly #adapter: EngineAdapter

  constructor (adapter: EngineAdapter) {
    super({
      peerId: `server-${randomUUID()}` as PeerId,
      network: [adapter],
      // what others edit after it was released is not to bring it back
      shareConfig: { announce: async () => true, access: async (_peer, id) => this.handles[id] !== undefined }
    })
    this.#adapter = adapter
  }

  /**
   * Resolves when the documents, all unless named, are stored with every change made to them before the call, as
   * durable as the relay's option `durability` says.
   * @throws RelayError with which the relay refused a change, RELAY_STORAGE_FAILED or RELAY_CLOSING
   */
  override async flush (documents: DocumentId[] = Object.keys(this.handles) as DocumentId[]): Promise<void> {
    await Promise.all(documents.map(async id => {
      const handle = this.handles[id]
      if (handle?.isReady() === true) await this.#stored(handle)
    }))
  }

  /**
   * Lets go of a document once it is stored. Its handle is not to be used from the call on; `find` gives a new one.
   * @throws RelayError as `flush`: it is kept then
   */
  override async removeFromCache (id: DocumentId): Promise<void> {
    const handle = this.handles[id]
    if (handle === undefined) return
    await handle.whenReady(['ready', 'unavailable', 'unloaded', 'deleted'])
    await this.flush([id])
    if (handle.isReady()) {
      await super.removeFromCache(id)
      this.#retire(handle)
    } else {
      this.delete(id) // nothing of it is here; Repo only lets go of what is
    }
  }

  /** Lets go of a document as it is. What is stored of it stays: the relay deletes nothing. */
  override delete (id: AnyDocumentId): void {
    const handle = this.handles[interpretAsDocumentId(id)]
    super.delete(id)
    if (handle !== undefined) this.#retire(handle)
  }

  /**
   * Waits until everything is stored, and disconnects.
   * @throws RelayError as `flush`: it is disconnected all the same
   */
  override async shutdown (): Promise<void> {
    try {
      await this.flush()
    } finally {
      this.networkSubsystem.disconnect()
    }
  }

  #retire (handle: DocHandle<unknown>): void {
    this.#adapter.unfollow(handle.documentId as string as RelayDocumentId)
    // a sync that is due would wait for the document for a minute, and write to the console then
    handle.whenReady = () => new Promise<void>(() => {})
  }

  async #stored (handle: DocHandle<unknown>): Promise<void> {
    const wanted = getHeads(handle.doc())
    await new Promise<void>((resolve, reject) => {
      const stop = this.#adapter.onRefused(error => { settle(() => { reject(error) }) })
      const check = (): void => { if (this.#isStored(handle, wanted)) settle(resolve) }
      const gone = (): void => { settle(resolve) }
      const settle = (done: () => void): void => {
        stop()
        handle.off('remote-heads', check).off('heads-changed', check).off('delete', gone)
        done()
      }
      handle.on('remote-heads', check).on('heads-changed', check).on('delete', gone)
      check()
    })
  }

  /** Whether the relay's last word on a document covers these heads: it tells what is stored. */
  #isStored (handle: DocHandle<unknown>, wanted: Heads): boolean {
    const { storageId } = this.#adapter
    const info = storageId === undefined ? undefined : handle.getSyncInfo(storageId)
    if (info === undefined || !handle.isReady()) return false
    const stored = decodeHeads(info.lastHeads)
    if (wanted.every(hash => stored.includes(hash))) return true
    const doc = handle.doc()
    if (!hasHeads(doc, stored)) return false // it is about to be merged
    const missing = new Set(getChangesMetaSince(doc, stored).map(({ hash }) => hash))
    return !wanted.some(hash => missing.has(hash))
  }
}
