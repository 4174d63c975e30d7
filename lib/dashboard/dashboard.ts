import { Bundle, type BundleLimits } from '../bundles/bundle.ts'
import type { Bundles } from '../bundles/bundles.ts'
import type { ListedBundle } from '../bundles/stores/store.ts'
import { codeOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { DocumentStore } from '../storage/document-store.ts'
import type { DocumentState, SyncEngine } from '../sync/engine.ts'
import type { OpenSocket } from '../websocket/peer-socket.ts'
import type { Sockets } from '../websocket/sockets.ts'
import { FigureReader, type Figures } from './figures.ts'
import { firstOf } from './first.ts'
import type { Page } from './page.ts'

export interface DashboardParts {
  page: Page
  metrics: Metrics
  sockets: Pick<Sockets, 'open'>
  sync: SyncEngine
  storage: DocumentStore
  bundles: Bundles
  limits: BundleLimits
}

/** `followed` is a number of documents, times are ms since 1970. */
export interface ConnectionRow extends Pick<
  OpenSocket, 'key' | 'peerId' | 'address' | 'principal' | 'backlog' | 'received' | 'sent'
> {
  since: number
  followed: number
}

/**
 * `bytes` and `files` of what is stored; `live` when it is in memory; one that was deleted has neither. `damage`: what
 * is wrong with what is stored, as far as it was read since the start.
 */
export interface DocumentRow {
  id: DocumentId
  bytes: number
  files: number
  isDeleted: boolean
  live: DocumentState | null
  damage: string | null
}

/** Of a list that is full there may be more: those after its last. */
export interface Listing<Row> { list: Row[], isMore: boolean }

export interface ConnectionQuery {
  offset: number
  limit: number
  search?: string | undefined
  document?: DocumentId | undefined
}
export interface DocumentQuery {
  after?: string | undefined
  prefix?: string | undefined
  limit: number
  open: boolean
  damaged: boolean
}

/** What the page shows, asked for by it. Lists come in parts, and no document is opened for it. */
export class Dashboard {
  readonly page: Page
  readonly #parts: DashboardParts
  readonly #figures: FigureReader

  constructor (parts: DashboardParts) {
    this.page = parts.page
    this.#parts = parts
    this.#figures = new FigureReader(parts.metrics)
  }

  async figures (): Promise<Figures> { return await this.#figures.read() }

  /**
   * Connections, the newest first: those whose peer, address or principal holds the text, and that follow the document.
   */
  connections ({ offset, limit, search = '', document }: ConnectionQuery): { total: number, list: ConnectionRow[] } {
    const text = search.toLowerCase()
    const found = [...this.#parts.sockets.open].filter(({ peerId, address, principal, followed }) =>
      (document === undefined || followed.has(document)) &&
      (text === '' || [peerId, address, principal].some(name => name.toLowerCase().includes(text)))).reverse()
    return { total: found.length, list: found.slice(offset, offset + limit).map(rowOf) }
  }

  /**
   * Documents in the order of their ids: those stored, only those in memory, or only those found damaged.
   * @throws RelayError RELAY_STORAGE_FAILED
   */
  async documents ({ after = '', prefix = '', limit, open, damaged }: DocumentQuery): Promise<Listing<DocumentRow>> {
    const { storage, sync } = this.#parts
    const fits = (id: DocumentId): boolean =>
      id > after && id.startsWith(prefix) && !(open && damaged && sync.state(id) === undefined)
    const ids = open || damaged
      ? firstOf(damaged ? storage.damage.ids : sync.openIds(), limit, fits)
      : await storage.ids({ after, prefix, limit })
    return { list: await Promise.all(ids.map(async id => await this.document(id))), isMore: ids.length === limit }
  }

  /** One document. @throws RelayError RELAY_STORAGE_FAILED */
  async document (id: DocumentId): Promise<DocumentRow> {
    const { storage, sync } = this.#parts
    try {
      return {
        id,
        ...await storage.footprint(id),
        isDeleted: false,
        live: sync.state(id) ?? null,
        damage: storage.damage.of(id) ?? null
      }
    } catch (error) {
      if (codeOf(error) !== 'RELAY_DOCUMENT_DELETED') throw error
      return { id, files: 0, bytes: 0, isDeleted: true, live: null, damage: null }
    }
  }

  /**
   * Bundles in the order of their ids; null where the store does not tell.
   * @throws RelayError RELAY_STORE_UNAVAILABLE
   */
  async bundles (
    { after, limit }: { after?: string | undefined, limit: number }
  ): Promise<Listing<ListedBundle> | null> {
    const list = await this.#parts.bundles.list({ after, limit })
    return list && { list, isMore: list.length === limit }
  }

  /** What is in a bundle, as uploaded. @throws RelayError as `Bundles.download`, or RELAY_BUNDLE_INVALID */
  async bundle (id: DocumentId) {
    const { bundles, limits } = this.#parts
    const stored = await bundles.download(id)
    try {
      const { size, etag, modified, owner } = stored
      const { manifest, documents } = await Bundle.open(stored, limits)
      return { id, size, etag, modified, owner, manifest, documents }
    } finally {
      await stored.close()
    }
  }
}

function rowOf (socket: OpenSocket): ConnectionRow {
  const { key, peerId, address, principal, backlog, received, sent, followed, age } = socket
  const since = Math.round(Date.now() - age)
  return { key, peerId, address, principal, backlog, received, sent, followed: followed.size, since }
}
