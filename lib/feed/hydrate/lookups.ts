import type { Cache, Found, Known } from './cache.ts'
import { CallFailed } from './appview.ts'

export interface LookupsParts {
  cache: Cache
  /** Asks for some ids: what was found, by id. Rejects with CallFailed */
  ask: (ids: readonly string[]) => Promise<Map<string, Found>>
  /** ms that an id waits for others to be asked for with it */
  linger: number
  /** ms until what was missing is asked for once more */
  again: number
  /** Calls at once */
  concurrency: number
  onFailure?: (error: unknown) => void
}

interface Waiting { id: string, again: boolean, resolve: (known: Known | undefined) => void }

const MAX_IDS = 25 // of one call
const MAX_LETTERS = 6_000 // of the ids of one call: longer URLs are refused on the way

/** Looks ids up: those of a moment in one call, one that is asked for already not again. */
export class Lookups {
  readonly #parts: LookupsParts
  readonly #pending = new Map<string, Promise<Known | undefined>>()
  #queue: Waiting[] = []
  #calls = 0
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor (parts: LookupsParts) {
    this.#parts = parts
  }

  /** Ids that are being asked for. */
  get waiting (): number { return this.#pending.size }

  /**
   * What is known of an id: null when it is not there, undefined when it could not be asked for. Never rejects.
   * @param again whether it may be too new to be there: it is asked for once more after a while
   */
  find (id: string, again: boolean): Known | Promise<Known | undefined> {
    const pending = this.#pending.get(id)
    if (pending !== undefined) return pending
    const known = this.#parts.cache.get(id)
    if (known !== undefined) return known
    const found = new Promise<Known | undefined>(resolve => { this.#queue.push({ id, again, resolve }) })
      .finally(() => { this.#pending.delete(id) })
    this.#pending.set(id, found)
    this.#wake()
    return found
  }

  /** Whoever waits is told that nothing could be had. */
  close (): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const { resolve } of this.#queue.splice(0)) resolve(undefined)
  }

  #wake (): void {
    if (this.#queue.length >= MAX_IDS) this.#send()
    else if (this.#queue.length > 0) this.#timer ??= setTimeout(() => { this.#send() }, this.#parts.linger)
  }

  #send (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#calls >= this.#parts.concurrency || this.#queue.length === 0) return // the next that ends goes on
    const batch = this.#take()
    this.#calls++
    this.#run(batch).finally(() => {
      this.#calls--
      this.#send()
    })
    this.#wake()
  }

  #take (): Waiting[] {
    let letters = 0
    const end = this.#queue.findIndex(({ id }, n) => n === MAX_IDS || ((letters += id.length) > MAX_LETTERS && n > 0))
    return this.#queue.splice(0, end === -1 ? this.#queue.length : end)
  }

  async #run (batch: Waiting[]): Promise<void> {
    const { cache, ask, onFailure } = this.#parts
    const asked = cache.now()
    try {
      const found = await ask(batch.map(({ id }) => id))
      for (const waiting of batch) this.#settle(waiting, found.get(waiting.id) ?? null, asked)
    } catch (error) {
      if (error instanceof CallFailed && error.isRefused) {
        await this.#part(batch, asked)
        return
      }
      onFailure?.(error)
      for (const { resolve } of batch) resolve(undefined)
    }
  }

  /** One id that the AppView does not like must not cost the others. */
  async #part (batch: Waiting[], asked: number): Promise<void> {
    if (batch.length === 1) {
      this.#settle({ ...batch[0]!, again: false }, null, asked)
      return
    }
    const half = batch.length >> 1
    await this.#run(batch.slice(0, half))
    await this.#run(batch.slice(half))
  }

  #settle (waiting: Waiting, known: Known, asked: number): void {
    if (known === null && waiting.again && !this.#isClosed) {
      setTimeout(() => {
        if (this.#isClosed) return waiting.resolve(undefined)
        this.#queue.push({ ...waiting, again: false })
        this.#wake()
      }, this.#parts.again)
    } else {
      waiting.resolve(this.#parts.cache.set(waiting.id, known, asked))
    }
  }
}
