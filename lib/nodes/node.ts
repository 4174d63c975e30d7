import { RelayError } from '../errors.ts'
import { Health } from './health.ts'
import type { Place, PlaceIdentity } from './place.ts'

const PROBE_TIMEOUT = 2_000 // ms after which a probe counts as lost

/** What a place answers that says nothing against it. */
const ANSWERS: readonly string[] = [
  'RELAY_SHARD_NOT_FOUND',
  'RELAY_SHARDS_FULL',
  'RELAY_SHARD_INVALID',
  'RELAY_VAULT_KEY_WRONG',
  'RELAY_NODE_UNKNOWN'
]

export interface NodeOptions {
  id: string
  /** What fails together: a machine, a provider, a town */
  domain?: string | undefined
  isReadOnly?: boolean | undefined
  /** Opens the place; called again until it succeeds, whenever it is asked for something */
  open: () => Promise<Place>
}

/** A place by its name, with what is known of how well it answers. One that cannot be opened is one that is away. */
export class Node {
  readonly id: string
  readonly domain: string
  readonly isReadOnly: boolean
  readonly health = new Health(performance.now())
  readonly #open: () => Promise<Place>
  #place: Promise<Place> | undefined

  constructor ({ id, domain = id, isReadOnly = false, open }: NodeOptions) {
    this.id = id
    this.domain = domain
    this.isReadOnly = isReadOnly
    this.#open = open
  }

  /** Asks the place for something, and measures it. */
  async ask<T>(what: (place: Place) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const begun = performance.now()
    try {
      const result = await what(await this.#opened())
      this.#sample(performance.now() - begun)
      return result
    } catch (error) {
      const passed = performance.now() - begun
      if (error instanceof RelayError && ANSWERS.includes(error.code)) this.#sample(passed)
      else if (signal?.aborted !== true) this.#sample(null)
      else if (passed > this.health.latency) this.#sample(passed) // given up as late: it takes at least this long
      throw error
    }
  }

  /** A shard it gave was not what it should be. */
  wrongShard (): void {
    this.health.wrongShard(performance.now())
  }

  /** Asks who it is. @returns undefined when it does not answer in two seconds */
  async probe (): Promise<PlaceIdentity | null | undefined> {
    const signal = AbortSignal.timeout(PROBE_TIMEOUT)
    const answer = this.ask(place => place.identity(signal), signal).catch(() => undefined) // it is in its health
    const late = new Promise<undefined>(resolve => {
      signal.addEventListener('abort', () => {
        resolve(undefined)
      })
    })
    const first = await Promise.race([answer, late])
    if (signal.aborted) this.#sample(null)
    return first
  }

  async close (): Promise<void> {
    await (await this.#place?.catch(() => undefined))?.close()
  }

  async #opened (): Promise<Place> {
    this.#place ??= this.#open()
    try {
      return await this.#place
    } catch (error) {
      this.#place = undefined
      throw error
    }
  }

  #sample (latency: number | null): void {
    this.health.sample(latency, performance.now())
  }
}
