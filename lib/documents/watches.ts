import type { Hash } from '../automerge/format/hash.ts'
import { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { DocumentService } from './documents.ts'
import { Watch, type Listener } from './watch.ts'

const MAX_LISTENERS = 10_000 // each has a connection

/** Who listens to which document. */
export class Watches {
  readonly #documents: Pick<DocumentService, 'heads' | 'diff'>
  readonly #log: Log
  readonly #watches = new Map<DocumentId, Watch>()
  readonly #stop: () => void
  #count = 0
  #isClosed = false

  constructor (documents: Pick<DocumentService, 'heads' | 'diff'>, sync: Pick<SyncEngine, 'onChange'>, log: Log) {
    this.#documents = documents
    this.#log = log
    this.#stop = sync.onChange(id => { this.#watches.get(id)?.poke() })
  }

  /**
   * Tells a listener of all that comes after the heads that it knows; returns the way to stop.
   * @throws RelayError RELAY_CLOSING or RELAY_DOCUMENT_BUSY when too many listen
   */
  listen (id: DocumentId, listener: Listener, known: Hash[]): () => void {
    if (this.#isClosed) throw new RelayError('RELAY_CLOSING', 'the relay is closing')
    if (this.#count >= MAX_LISTENERS) {
      throw new RelayError('RELAY_DOCUMENT_BUSY', 'Too many clients are listening to events')
    }
    this.#count++
    let watch = this.#watches.get(id)
    if (watch === undefined) this.#watches.set(id, watch = new Watch(id, this.#documents, this.#log))
    watch.add(listener, known)
    return () => {
      this.#count--
      watch.delete(listener)
      if (watch.isIdle && this.#watches.get(id) === watch) this.#watches.delete(id)
    }
  }

  /** A listener that had left much unread has read it. */
  resume (id: DocumentId): void { this.#watches.get(id)?.poke() }

  /** Ends everybody. */
  close (): void {
    this.#isClosed = true
    this.#stop()
    for (const watch of this.#watches.values()) watch.end(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    this.#watches.clear()
  }
}
