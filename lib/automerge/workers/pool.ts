import { RelayError, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { StoredDocument } from '../checks/document.ts'
import { ThreadPool } from '../../threads/thread-pool.ts'
import '../format/columns.ts' // what it compares keys by must be known before a thread starts
import type { Job, jobs } from './worker.ts'

/** What Automerge says of a document: its heads (hex) and the documents it refers to. */
export interface Inspection { heads: string[], references: DocumentId[] }

export interface PoolOptions {
  /** Threads at most; they start when needed. */
  threads?: number
  /** ms without work after which a thread ends and its WASM memory, which never shrinks, is given back. */
  idleTimeout?: number
}

/**
 * Automerge on worker threads, for everything that opens a whole document: checking what was uploaded, compacting
 * chunks. All methods take the chunks of one document (each any sequence of Automerge chunks, in any order) and
 * reject with RELAY_DOCUMENT_INVALID when Automerge cannot load them.
 */
export class AutomergePool {
  readonly #threads: ThreadPool

  constructor ({ threads = 1, idleTimeout = 5_000 }: PoolOptions = {}) {
    this.#threads = new ThreadPool(new URL('./worker', import.meta.url), { threads, idleTimeout })
  }

  /** Loads a document and tells what is in it. */
  inspect (chunks: Uint8Array[]): Promise<Inspection> {
    return this.#run({ name: 'inspect', args: [chunks] })
  }

  /** The heads of what there is of a document, and on how many changes that are missing others wait. */
  heads (chunks: Uint8Array[]): Promise<{ heads: string[], missing: number }> {
    return this.#run({ name: 'heads', args: [chunks] })
  }

  /** The same history as one `Automerge.save` chunk, after which come changes that wait for others, if there are. @param signal ends the work, and the thread with it */
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

  /** What can be had of chunks of which some are damaged, as one chunk or none, and how many sound changes could not be used. */
  salvage (chunks: Uint8Array[]): Promise<{ chunk: Uint8Array | null, lost: number }> {
    return this.#run({ name: 'salvage', args: [chunks] })
  }

  async close (): Promise<void> {
    await this.#threads.close()
  }

  async #run<Name extends Job['name']> (job: Extract<Job, { name: Name }>, signal?: AbortSignal): Promise<ReturnType<typeof jobs[Name]>> {
    try {
      return await this.#threads.run(job, { signal }) as ReturnType<typeof jobs[Name]>
    } catch (error) {
      throw new RelayError('RELAY_DOCUMENT_INVALID', `not an Automerge document: ${messageOf(error)}`, { cause: error })
    }
  }
}
