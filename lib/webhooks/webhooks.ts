import { randomUUID } from 'node:crypto'
import type { Log } from '../log.ts'
import type { EventType, Webhook } from './options.ts'
import { RETRIES, Subscription, type Retries } from './subscription.ts'

export interface WebhooksParts { webhooks: Webhook[], log: Log, retries?: Retries }

/**
 * Tells those who subscribed what happens here: a POST of `{"type","timestamp","data"}`, signed, again until it is taken
 * or given up. What waits is in memory: a relay that ends forgets it.
 */
export class Webhooks {
  readonly #subscriptions: Subscription[]

  constructor ({ webhooks, log, retries = RETRIES }: WebhooksParts) {
    this.#subscriptions = webhooks.map(webhook => new Subscription(webhook, { retries, log }))
  }

  /** Never waits and never fails. @param key what it is about: while one about the same waits, this one is left out */
  publish (type: EventType, data: object, key?: string): void {
    const wanting = this.#subscriptions.filter(subscription => subscription.wants(type))
    if (wanting.length === 0) return
    const message = { id: `msg_${randomUUID()}`, type, key, body: JSON.stringify({ type, timestamp: new Date().toISOString(), data }) }
    for (const subscription of wanting) subscription.push(message)
  }

  async close (): Promise<void> {
    await Promise.all(this.#subscriptions.map(subscription => subscription.close()))
  }
}
