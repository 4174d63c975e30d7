import type { Hash } from '../automerge/format/hash.ts'
import { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { DocumentService } from './documents.ts'
import { Feed, type Listener } from './watch.ts'

const MAX_LISTENERS = 10_000 // each has a connection

/** Who listens to which document. */
export class Feeds {
  readonly #documents: Pick<DocumentService, 'heads' | 'diff'>
  readonly #log: Log
  readonly #feeds = new Map<DocumentId, Feed>()
  readonly #stop: () => void
  #count = 0
  #isClosed = false

  constructor (documents: Pick<DocumentService, 'heads' | 'diff'>, sync: Pick<SyncEngine, 'onChange'>, log: Log) {
    this.#documents = documents
    this.#log = log
    this.#stop = sync.onChange(id => { this.#feeds.get(id)?.poke() })
  }

  /** Tells a listener of all that comes after the heads that it knows; returns the way to stop. @throws RelayError RELAY_CLOSING or RELAY_DOCUMENT_BUSY when too many listen */
  listen (id: DocumentId, listener: Listener, known: Hash[]): () => void {
    if (this.#isClosed) throw new RelayError('RELAY_CLOSING', 'the relay is closing')
    if (this.#count >= MAX_LISTENERS) throw new RelayError('RELAY_DOCUMENT_BUSY', 'Too many listen to events')
    this.#count++
    let feed = this.#feeds.get(id)
    if (feed === undefined) this.#feeds.set(id, feed = new Feed(id, this.#documents, this.#log))
    feed.add(listener, known)
    return () => {
      this.#count--
      feed.delete(listener)
      if (feed.isIdle && this.#feeds.get(id) === feed) this.#feeds.delete(id)
    }
  }

  /** A listener that had left much unread has read it. */
  resume (id: DocumentId): void { this.#feeds.get(id)?.poke() }

  /** Ends everybody. */
  close (): void {
    this.#isClosed = true
    this.#stop()
    for (const feed of this.#feeds.values()) feed.end(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    this.#feeds.clear()
  }
}
