import { statfs } from 'node:fs/promises'
import { RelayError } from '../errors.ts'

export interface RoomOptions {
  /** The folder whose disk is looked at; none for a bucket */
  folder?: string | undefined
  /** Share of the disk that is never filled, 0 to 1 */
  reserve?: number | undefined
  /** Bytes that may be stored in all */
  quota?: number | undefined
}

const FRESH = 1_000 // ms for which the disk is not asked again
const UNKNOWN = 2 ** 50 // what a bucket without quota is taken for

/** How much may still be stored, so that the disk is never filled: what is on it also has to be changed and removed. */
export class Room {
  readonly #options: RoomOptions
  #used = 0
  #known: { free: number, at: number } | undefined
  #taken = 0

  constructor (options: RoomOptions = {}) {
    this.#options = options
  }

  /** Bytes stored, as counted when the store was opened and since. */
  get used (): number { return this.#used }

  /** What was found, or has changed, in bytes. */
  count (bytes: number): void { this.#used += bytes }

  /** Bytes that may still be stored. */
  async free (): Promise<number> {
    const { folder, reserve = 0.05, quota = Infinity } = this.#options
    const byQuota = quota - this.#used
    if (folder === undefined) return Math.max(0, Math.min(byQuota, UNKNOWN))
    if (this.#known === undefined || performance.now() - this.#known.at > FRESH) {
      const { bavail, bsize, blocks } = await statfs(folder)
      this.#known = { free: (bavail - blocks * reserve) * bsize, at: performance.now() }
      this.#taken = 0
    }
    return Math.max(0, Math.min(byQuota, this.#known.free - this.#taken))
  }

  /** Takes room before it is used. @throws RelayError RELAY_SHARDS_FULL */
  async take (bytes: number): Promise<void> {
    const free = await this.free()
    if (bytes > free) throw new RelayError('RELAY_SHARDS_FULL', `there is room for ${free} bytes and not for ${bytes}`)
    this.#taken += bytes
    this.#used += bytes
  }

  /** Gives back what was taken and not used. */
  give (bytes: number): void {
    this.#taken -= bytes
    this.#used -= bytes
  }
}
