import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Tally } from './metrics.ts'
import type { EventType, Webhook } from './options.ts'
import type { Message, Queue } from './queue.ts'
import { post } from './post.ts'
import { signed } from './signature.ts'

export interface Retries {
  /** Tries in all before a message is given up */
  attempts: number
  /** ms before the second; each later one waits twice as long as the one before, up to `longest` */
  first: number
  /** ms */
  longest: number
  /** ms for an answer */
  timeout: number
  /** ms between two lines in the log about one receiver */
  quiet: number
}

/** A second to five minutes between them: half an hour in all. */
export const RETRIES: Retries = { attempts: 12, first: 1_000, longest: 300_000, timeout: 10_000, quiet: 60_000 }

/** Messages that may wait for one receiver */
const MAX_WAITING = 10_000

export interface SubscriptionParts {
  webhook: Webhook
  queue: Queue
  retries: Retries
  tally: Tally
  log: Log
  maxWaiting?: number
}

/** One receiver: gets its messages in their order, one at a time, each until it has taken it. */
export class Subscription {
  /** The receiver's origin: the rest of a URL may be a secret. */
  readonly name: string
  readonly #parts: SubscriptionParts
  readonly #closing = new AbortController()
  readonly #waitingKeys = new Set<string>()
  #sending: Message | undefined
  #delivering: Promise<void> | undefined
  #loggedAt = -Infinity
  #silent = 0

  constructor (parts: SubscriptionParts) {
    this.#parts = parts
    this.name = new URL(parts.webhook.url).origin
    for (const message of parts.queue.messages()) this.#remember(message)
  }

  get waiting (): number { return this.#parts.queue.size }

  wants (type: EventType): boolean {
    return this.#parts.webhook.events.includes(type)
  }

  push (message: Message): void {
    const { queue, maxWaiting = MAX_WAITING } = this.#parts
    const key = keyOf(message)
    if (this.#closing.signal.aborted || (key !== undefined && this.#waitingKeys.has(key))) return
    if (queue.size >= maxWaiting) this.#dropOldest()
    this.#remember(message)
    queue.push(message)
    this.deliver()
  }

  /** Sends what waits, until nothing does. */
  deliver (): void {
    if (this.waiting > 0) this.#delivering ??= this.#deliverAll()
  }

  /** Ends what is on its way; what waits is sent after the next start. */
  async close (): Promise<void> {
    const { queue, log } = this.#parts
    this.#closing.abort()
    await this.#delivering
    await queue.close()
    if (queue.size > 0) {
      log.info(
        { receiver: this.name, events: queue.size },
        'closed with events for a webhook, which are sent after the next start'
      )
    }
  }

  async #deliverAll (): Promise<void> {
    const { queue } = this.#parts
    for (const message of queue.messages()) {
      const key = keyOf(message)
      if (key !== undefined) this.#waitingKeys.delete(key) // one that happens from now on is news
      this.#sending = message
      await this.#deliver(message)
      if (this.#closing.signal.aborted) return
      queue.remove(message.id)
    }
    this.#sending = undefined
    this.#delivering = undefined // at once: whatever comes from now on finds nobody at work
  }

  async #deliver (message: Message): Promise<void> {
    const { tally, retries: { attempts, first, longest } } = this.#parts
    const facts = { type: message.type, id: message.id }
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const failure = await this.#post(message)
      if (this.#closing.signal.aborted) return
      if (failure === undefined) {
        tally.settled(message.type, 'delivered')
        return
      }
      if (attempt >= attempts) {
        tally.settled(message.type, 'given_up')
        this.#parts.log.error({ receiver: this.name, ...facts, attempts }, `event given up: ${failure.problem}`)
        return
      }
      const backoff = Math.min(first * 2 ** (attempt - 1), longest)
      // spread out, so that those who failed together do not come back together
      const wait = Math.max(failure.retryAfter, backoff * (0.5 + Math.random() / 2))
      this.#warn({ ...facts, attempt, wait: Math.round(wait) }, `webhook failed: ${failure.problem}`)
      await sleep(wait, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {}) // closed meanwhile
      tally.retried(message.type)
    }
  }

  /** Undefined when it has been taken (any 2xx); `retryAfter` in ms. */
  async #post (message: Message): Promise<{ problem: string, retryAfter: number } | undefined> {
    const { tally } = this.#parts
    const start = performance.now()
    const failure = await this.#request(message)
    if (!this.#closing.signal.aborted) {
      tally.requested(message.type, failure === undefined ? 'ok' : 'failed', (performance.now() - start) / 1000)
    }
    return failure
  }

  async #request (message: Message): Promise<{ problem: string, retryAfter: number } | undefined> {
    const { webhook: { url, secret }, retries } = this.#parts
    const { body } = message
    const signature = signed(secret, { ...message, timestamp: Math.floor(Date.now() / 1000) })
    try {
      const { status, retryAfter } = await post(url, signature, body, AbortSignal.any([
        this.#closing.signal, AbortSignal.timeout(retries.timeout)
      ]))
      return status >= 200 && status < 300
        ? undefined
        : { problem: `answered ${status}`, retryAfter: Math.min(retryAfter, retries.longest) }
    } catch (error) {
      return { problem: messageOf(error), retryAfter: 0 }
    }
  }

  #remember (message: Message): void {
    const key = keyOf(message)
    if (key !== undefined) this.#waitingKeys.add(key)
  }

  #dropOldest (): void {
    const { queue, tally } = this.#parts
    for (const message of queue.messages()) {
      if (message === this.#sending) continue
      const key = keyOf(message)
      if (key !== undefined) this.#waitingKeys.delete(key)
      queue.remove(message.id)
      tally.settled(message.type, 'dropped')
      this.#warn({ type: message.type, id: message.id }, 'a webhook is too far behind: its oldest event is dropped')
      return
    }
  }

  /** One line a minute. */
  #warn (facts: object, message: string): void {
    const now = performance.now()
    if (now - this.#loggedAt < this.#parts.retries.quiet) {
      this.#silent++
      return
    }
    this.#parts.log.warn(
      { receiver: this.name, ...facts, waiting: this.waiting, ...(this.#silent > 0 && { since: this.#silent }) },
      message
    )
    this.#loggedAt = now
    this.#silent = 0
  }
}

const keyOf = ({ type, key }: Message): string | undefined => key === undefined ? undefined : `${type} ${key}`
