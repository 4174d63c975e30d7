import { codeOf, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { JobThread } from '../../threads/job-thread.ts'
import type { DocumentsHost } from './documents-host.ts'
import { NOT_OPEN } from './item.ts'
import type { Edit, Jobs, Opened } from './worker.ts'

const STALE = 60_000 // ms after which what peers have changed meanwhile is looked for

/**
 * A document that the feed writes to. It is open in the thread, as it was when it was opened and with what the feed has
 * changed since; what peers change is the engine's to merge.
 */
export class OpenDocument {
  readonly id: DocumentId
  readonly #host: DocumentsHost
  readonly #thread: JobThread<Jobs>
  #generation = -1
  #isNew = false
  #heads: string[] = []
  #openedAt = 0
  #facts: Opened | undefined

  constructor (id: DocumentId, host: DocumentsHost, thread: JobThread<Jobs>) {
    this.id = id
    this.#host = host
    this.#thread = thread
  }

  /** What was in it when it was opened. @throws RelayError RELAY_DOCUMENT_DELETED and as `SyncEngine.snapshot` */
  async open (): Promise<Opened> {
    if (this.#facts !== undefined && this.#generation === this.#thread.generation && !await this.#isStale()) {
      return this.#facts
    }
    const chunk = await this.#host.snapshot(this.id)
    this.#facts = await this.#thread.run('open', this.id, chunk)
    this.#heads = this.#facts.heads
    this.#isNew = chunk === null
    this.#generation = this.#thread.generation
    this.#openedAt = performance.now()
    return this.#facts
  }

  /** Changes it; durable when resolved. Rejects as `SyncEngine.apply`, and is as it was then. */
  async change (edits: readonly Edit[]): Promise<void> {
    await this.open()
    try {
      const { change, heads } = await this.#made(edits)
      if (change === null) return
      await this.#store(change)
      this.#heads = heads
    } catch (error) {
      this.forget()
      throw error
    }
  }

  /**
   * Takes over what was written into the document whose place it takes.
   * @param from that document, as `snapshot` gives it
   * @returns what could not be taken over, in words
   */
  async carry (from: Uint8Array, since: string[]): Promise<string[]> {
    this.forget()
    await this.open()
    const { change, failed } = await this.#thread.run('carry', from, since, this.id)
    if (change !== null) await this.#host.merge(this.id, [change])
    this.forget()
    return failed
  }

  /** It is opened anew before it is written to again. */
  forget (): void {
    this.#facts = undefined
  }

  async #made (edits: readonly Edit[]): Promise<{ change: Uint8Array | null, heads: string[] }> {
    try {
      return await this.#thread.run('change', this.id, edits)
    } catch (error) {
      if (messageOf(error) !== NOT_OPEN) throw error
      this.forget()
      await this.open()
      return await this.#thread.run('change', this.id, edits)
    }
  }

  async #store (change: Uint8Array): Promise<void> {
    if (this.#isNew) await this.#host.merge(this.id, [change])
    else await this.#host.apply(this.id, [change])
    this.#isNew = false
  }

  async #isStale (): Promise<boolean> {
    if (this.#isNew || performance.now() - this.#openedAt < STALE) return false
    this.#openedAt = performance.now()
    return String(await this.#host.heads(this.id)) !== String(this.#heads)
  }
}

/** Whether an error says that somebody has deleted a document. */
export const isDeleted = (error: unknown): boolean =>
  ['RELAY_DOCUMENT_DELETED', 'RELAY_DOCUMENT_NOT_FOUND'].includes(codeOf(error) ?? '')

/** Passes over an error that says so; throws any other. */
export function unlessDeleted (error: unknown): false {
  if (isDeleted(error)) return false
  throw error
}
