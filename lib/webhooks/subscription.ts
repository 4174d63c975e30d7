import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { EventType, Webhook } from './options.ts'
import { signed } from './signature.ts'

/** `key` tells what it is about: of two that wait, and are of one type about the same, one is enough. */
export interface Message { id: string, type: EventType, key: string | undefined, body: string }

export interface Retries {
  /** Tries in all before a message is given up */
  attempts: number
  /** ms before the second; each later one waits twice as long as the one before, up to `longest` */
  first: number
  /** ms */
  longest: number
  /** ms for an answer */
  timeout: number
}

/** A second to five minutes between them: half an hour in all. */
export const RETRIES: Retries = { attempts: 12, first: 1_000, longest: 300_000, timeout: 10_000 }

/** Messages that may wait for one receiver */
const MAX_WAITING = 10_000

/** One receiver: gets its messages in their order, one at a time, each until it has taken it. */
export class Subscription {
  readonly #webhook: Webhook
  readonly #retries: Retries
  readonly #log: Log
  readonly #closing = new AbortController()
  #waiting: Message[] = []
  #waitingKeys = new Set<string>()
  #delivering: Promise<void> | undefined

  constructor (webhook: Webhook, { retries, log }: { retries: Retries, log: Log }) {
    this.#webhook = webhook
    this.#retries = retries
    this.#log = log
  }

  wants (type: EventType): boolean {
    return this.#webhook.events.includes(type)
  }

  push (message: Message): void {
    const key = keyOf(message)
    if (this.#closing.signal.aborted || (key !== undefined && this.#waitingKeys.has(key))) return
    if (this.#waiting.length >= MAX_WAITING) {
      this.#log.error({ url: this.#webhook.url, type: message.type }, 'a webhook is too far behind: the event is lost')
      return
    }
    this.#waiting.push(message)
    if (key !== undefined) this.#waitingKeys.add(key)
    this.#delivering ??= this.#deliverAll().finally(() => { this.#delivering = undefined })
  }

  /** Ends what is on its way; what waits is lost. */
  async close (): Promise<void> {
    this.#closing.abort()
    if (this.#waiting.length > 0) this.#log.warn({ url: this.#webhook.url, events: this.#waiting.length }, 'closed with events that a webhook had not taken')
    this.#waiting = []
    await this.#delivering
  }

  async #deliverAll (): Promise<void> {
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      const key = keyOf(message)
      if (key !== undefined) this.#waitingKeys.delete(key) // one that happens from now on is news
      await this.#deliver(message)
    }
  }

  async #deliver (message: Message): Promise<void> {
    const { attempts, first, longest } = this.#retries
    const facts = { url: this.#webhook.url, type: message.type, id: message.id }
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      const failure = await this.#post(message)
      if (failure === undefined || this.#closing.signal.aborted) return
      if (attempt >= attempts) {
        this.#log.error({ ...facts, attempts }, `event given up: ${failure.problem}`)
        return
      }
      const backoff = Math.min(first * 2 ** (attempt - 1), longest)
      // spread out, so that those who failed together do not come back together
      const wait = Math.max(failure.retryAfter, backoff * (0.5 + Math.random() / 2))
      this.#log.warn({ ...facts, attempt, wait: Math.round(wait) }, `webhook failed: ${failure.problem}`)
      await sleep(wait, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {}) // closed meanwhile
    }
  }

  /** Undefined when it has been taken (any 2xx); `retryAfter` in ms. */
  async #post (message: Message): Promise<{ problem: string, retryAfter: number } | undefined> {
    const { url, secret } = this.#webhook
    const { body } = message
    const signature = signed(secret, { ...message, timestamp: Math.floor(Date.now() / 1000) })
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signature },
        body,
        redirect: 'manual',
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#retries.timeout)])
      })
      await response.body?.cancel()
      if (response.ok) return undefined
      const seconds = Number(response.headers.get('retry-after'))
      const retryAfter = seconds > 0 ? Math.min(seconds * 1000, this.#retries.longest) : 0
      return { problem: `answered ${response.status}`, retryAfter }
    } catch (error) {
      const { cause } = error as { cause?: unknown }
      return { problem: messageOf(cause ?? error), retryAfter: 0 }
    }
  }
}

const keyOf = ({ type, key }: Message): string | undefined => key === undefined ? undefined : `${type} ${key}`
