import { messageOf, type RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import { isDeletion } from '../storage/tombstone.ts'
import { channels, traced } from '../tracing.ts'
import type { DocumentContext } from './context.ts'
import { LiveDocument } from './document/live-document.ts'
import { openHistory } from './document/open-history.ts'
import type { Followers } from './peers/followers.ts'
import { refusalOf } from './refusal.ts'
import { UnopenedDocuments } from './unopened.ts'

/** The documents in memory: each is opened once, however many want it. */
export class OpenDocuments {
  readonly #context: DocumentContext
  readonly #followers: Followers
  readonly #documents = new Map<DocumentId, LiveDocument | Promise<LiveDocument>>()
  readonly #unopened = new UnopenedDocuments()

  constructor (context: DocumentContext, followers: Followers) {
    this.#context = context
    this.#followers = followers
  }

  /** Those that are being opened are promises. */
  get all (): ReadonlyMap<DocumentId, LiveDocument | Promise<LiveDocument>> { return this.#documents }

  /** How many cannot be opened at the moment and are tried again. */
  get unopened (): number { return this.#unopened.size }

  /** A document that is open. */
  get (id: DocumentId): LiveDocument | undefined {
    const known = this.#documents.get(id)
    return known instanceof LiveDocument ? known : undefined
  }

  * live (): Generator<LiveDocument> {
    for (const document of this.#documents.values()) if (document instanceof LiveDocument) yield document
  }

  /** Opens a document, if it is not. @throws RelayError RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED */
  async open (id: DocumentId): Promise<LiveDocument> {
    const known = this.#documents.get(id)
    if (known !== undefined) return await known
    const opening = traced(channels.open, () => ({ documentId: id }), () => openHistory(id, this.#context))
      .then(history => {
        const document = new LiveDocument(id, history, this.#context)
        // they have been told that there is none
        if (history.isEmpty) for (const peer of this.#followers.of(id)) document.audience.expect(peer)
        this.#documents.set(id, document)
        return document
      })
    this.#documents.set(id, opening)
    opening.catch((error: unknown) => {
      this.#documents.delete(id)
      if (!isDeletion(error)) this.failed(id, refusalOf(error))
    })
    return await opening
  }

  /** As `open` for who asks again and again: not before it is time to try. @throws as `open` */
  async openLater (id: DocumentId): Promise<LiveDocument> {
    const error = this.#unopened.resting(id, performance.now())
    if (error !== undefined) throw error
    return await this.open(id)
  }

  /** A document cannot be opened, or not by Automerge. It is tried again as long as somebody follows it. */
  failed (id: DocumentId, error: RelayError): void {
    if (!this.#unopened.add(id, error, performance.now())) return
    this.#context.log.error({ documentId: id, err: error }, `document not opened: ${messageOf(error.cause ?? error)}`)
  }

  /** Looks after peers that are stuck, and after documents that could not be opened. */
  check (): void {
    const now = performance.now()
    for (const document of this.live()) {
      try {
        document.audience.check(now)
      } catch (error) {
        this.#context.failed(document, error)
      }
    }
    this.#retry()
  }

  /** Lets documents go that were not in use since the last call: what is stored of them is all there is. */
  forgetUnused (): void {
    for (const document of this.live()) if (!document.touch()) this.forget(document)
  }

  /** Lets a document go. */
  forget (document: LiveDocument): void {
    document.close()
    if (this.#documents.get(document.id) === document) this.#documents.delete(document.id)
  }

  /** Waits for what is being opened, and closes all. */
  async close (): Promise<void> {
    for (const opened of await Promise.allSettled(this.#documents.values())) {
      if (opened.status === 'fulfilled') opened.value.close()
    }
  }

  /** Tries again what could not be opened, and has its peers say what they have of it. */
  #retry (): void {
    for (const id of this.#unopened.due(performance.now())) {
      const peers = [...this.#followers.of(id)]
      if (peers.length === 0) this.#unopened.delete(id)
      else this.open(id).then(document => { this.#reopened(document) }, () => {}) // noted where it failed
    }
  }

  #reopened (document: LiveDocument): void {
    let invited = 0
    for (const peer of this.#followers.of(document.id)) if (document.audience.invite(peer)) invited++
    if (invited > 0) return // whether they can be answered is seen then
    this.#unopened.delete(document.id)
    this.#context.log.info({ documentId: document.id }, 'a document that could not be opened is served again')
  }
}
