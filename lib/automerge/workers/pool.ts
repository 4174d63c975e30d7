import { RelayError, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import { KeyedQueue } from '../../keyed-queue.ts'
import type { StoredDocument } from '../checks/document.ts'
import { ThreadPool } from '../../threads/thread-pool.ts'
import '../format/columns.ts' // what it compares keys by must be known before a thread starts
import type { Job, Outcome, jobs } from './worker.ts'

/** What Automerge says of a document: its heads (hex) and the documents it refers to. */
export interface Inspection { heads: string[], references: DocumentId[] }

export interface PoolOptions {
  /** ms without work after which a thread ends and its WASM memory, which never shrinks, is given back. */
  idleTimeout?: number
  /** ms that one job may take, its wait for others not included. */
  timeout?: number
}

const TIMEOUT = 120_000 // ms: a document of a million changes takes seconds

/**
 * Automerge on a worker thread of its own, for everything that opens a whole document: checking what was uploaded,
 * compacting chunks; one at a time. All methods take the chunks of one document (each any sequence of Automerge chunks,
 * in any order) and reject with RELAY_DOCUMENT_INVALID when Automerge cannot load them, with RELAY_DOCUMENT_BUSY when
 * it takes too long, and with RELAY_STORAGE_FAILED when there can be no thread.
 */
export class AutomergePool {
  readonly #thread: ThreadPool
  readonly #timeout: number
  readonly #queue = new KeyedQueue()

  constructor ({ idleTimeout = 5_000, timeout = TIMEOUT }: PoolOptions = {}) {
    this.#timeout = timeout
    this.#thread = new ThreadPool(new URL('./worker', import.meta.url), { threads: 1, idleTimeout })
  }

  /** Loads a document and tells what is in it. */
  inspect (chunks: Uint8Array[]): Promise<Inspection> {
    return this.#run({ name: 'inspect', args: [chunks] })
  }

  /** The heads of what there is of a document, and on how many changes that are missing others wait. */
  heads (chunks: Uint8Array[]): Promise<{ heads: string[], missing: number }> {
    return this.#run({ name: 'heads', args: [chunks] })
  }

  /**
   * The same history as one `Automerge.save` chunk, after which come changes that wait for others, if there are.
   * @param signal ends the work, and the thread with it
   */
  compact (chunks: Uint8Array[], signal?: AbortSignal): Promise<Uint8Array> {
    return this.#run({ name: 'compact', args: [chunks] }, signal)
  }

  /** Reads a document's chunk without loading it, as `readDocument` does. */
  read (chunk: Uint8Array): Promise<StoredDocument> {
    return this.#run({ name: 'read', args: [chunk] })
  }

  /** Whether `incoming` holds changes that `stored` does not. Rejects when they wait for others that neither has. */
  adds (stored: Uint8Array[], incoming: Uint8Array[]): Promise<boolean> {
    return this.#run({ name: 'adds', args: [stored, incoming] })
  }

  /**
   * What can be had of chunks of which some are damaged, as one chunk or none, and how many sound changes could not be
   * used.
   */
  salvage (chunks: Uint8Array[]): Promise<{ chunk: Uint8Array | null, lost: number }> {
    return this.#run({ name: 'salvage', args: [chunks] })
  }

  async close (): Promise<void> {
    await this.#thread.close()
  }

  async #run<Name extends Job['name']> (
    job: Extract<Job, { name: Name }>, signal?: AbortSignal
  ): Promise<ReturnType<typeof jobs[Name]>> {
    const outcome = await this.#queue.run('', async () => await this.#inTime(job, signal))
    if ('problem' in outcome) {
      throw new RelayError('RELAY_DOCUMENT_INVALID', `not an Automerge document: ${outcome.problem}`)
    }
    return outcome.value as ReturnType<typeof jobs[Name]>
  }

  /** A job that is broken off takes its thread with it; the next one gets another. */
  async #inTime (job: Job, signal: AbortSignal | undefined): Promise<Outcome> {
    const late = new AbortController()
    const timer = setTimeout(() => { late.abort() }, this.#timeout).unref()
    try {
      const signals = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
      return await this.#thread.run(job, { signal: signals }) as Outcome
    } catch (cause) {
      if (late.signal.aborted) {
        throw new RelayError(
          'RELAY_DOCUMENT_BUSY', `Automerge was not done with the document after ${this.#timeout} ms`, { cause }
        )
      }
      throw new RelayError('RELAY_STORAGE_FAILED', `the document could not be looked at: ${messageOf(cause)}`, {
        cause
      })
    } finally {
      clearTimeout(timer)
    }
  }
}
