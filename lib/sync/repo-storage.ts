import { setTimeout as sleep } from 'node:timers/promises'
import type { Chunk, StorageAdapterInterface, StorageKey } from '@automerge/automerge-repo'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { StorageFolder } from '../storage/folder.ts'

const RETRY_FIRST = 250 // ms
const RETRY_LAST = 10_000 // ms

/**
 * The storage folder as an automerge-repo storage. The repo does not expect a write to fail (it would end the process),
 * so a write is tried until it succeeds: a full disk delays, and recovers when there is space. Once `giveUp` was called a
 * failure is final and kept in `failure`.
 */
export class RepoStorage implements StorageAdapterInterface {
  readonly #folder: StorageFolder
  readonly #log: Log
  readonly #closing = new AbortController()
  /** The first write that was given up. */
  failure: unknown

  constructor (folder: StorageFolder, log: Log) {
    this.#folder = folder
    this.#log = log
  }

  async load (key: StorageKey): Promise<Uint8Array | undefined> { return await this.#folder.read(key) }
  async loadRange (prefix: StorageKey): Promise<Chunk[]> { return await this.#folder.readAll(prefix) }
  async save (key: StorageKey, data: Uint8Array): Promise<void> { await this.#persist(() => this.#folder.write(key, data)) }
  async remove (key: StorageKey): Promise<void> { await this.#persist(() => this.#folder.remove(key)) }
  async removeRange (prefix: StorageKey): Promise<void> { await this.remove(prefix) }

  giveUp (): void { this.#closing.abort() }

  async #persist (run: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing
    for (let wait = RETRY_FIRST; ; wait = Math.min(wait * 2, RETRY_LAST)) {
      try {
        await run()
        return
      } catch (error) {
        if (signal.aborted) {
          this.failure ??= error
          return
        }
        this.#log.error({ err: error }, `not stored, trying again: ${messageOf(error)}`)
        await sleep(wait, undefined, { signal, ref: false }).catch(() => {}) // aborted: one last try, at once
      }
    }
  }
}
