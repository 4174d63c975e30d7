import { createHash, randomUUID } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { makeFolder } from '../objects/atomic-file.ts'
import { Tally } from './metrics.ts'
import type { EventType, Webhook } from './options.ts'
import { Queue } from './queue.ts'
import { RETRIES, Subscription, type Retries } from './subscription.ts'

export interface WebhooksParts {
  webhooks: Webhook[]
  /** Folder for what has yet to be sent, and for nothing else */
  folder: string
  log: Log
  retries?: Retries
  /** Messages that may wait for one receiver */
  maxWaiting?: number
}

/**
 * Tells those who subscribed what happens here: a POST of `{"type","timestamp","data"}`, signed, again until it is
 * taken or given up, also after a restart.
 */
export class Webhooks {
  readonly tally: Tally
  readonly #subscriptions: Subscription[]

  private constructor (subscriptions: Subscription[], tally: Tally) {
    this.tally = tally
    this.#subscriptions = subscriptions
    for (const subscription of subscriptions) subscription.deliver()
  }

  /** With what an earlier one of the folder had not sent. What waits for a webhook that is no more is deleted. */
  static async open ({ webhooks, folder, retries = RETRIES, ...parts }: WebhooksParts): Promise<Webhooks> {
    if (webhooks.length > 0) await makeFolder(folder)
    const names = webhooks.map(nameOf)
    for (const name of await namesIn(folder)) if (!names.includes(name)) await rm(path.join(folder, name))
    const queues = await Promise.all(names.map(name => Queue.open(path.join(folder, name), parts.log)))
    const tally = new Tally()
    return new Webhooks(
      webhooks.map((webhook, n) => new Subscription({ ...parts, webhook, queue: queues[n]!, retries, tally })), tally
    )
  }

  /** Never waits and never fails. @param key what it is about: while one about the same waits, this one is left out */
  publish (type: EventType, data: object, key?: string): void {
    const wanting = this.#subscriptions.filter(subscription => subscription.wants(type))
    if (wanting.length === 0) return
    const message = {
      id: `msg_${randomUUID()}`, type, key, body: JSON.stringify({ type, timestamp: new Date().toISOString(), data })
    }
    for (const subscription of wanting) subscription.push(message)
  }

  /** How many events each receiver has yet to get. */
  waiting (): Array<{ receiver: string, count: number }> {
    return this.#subscriptions.map(({ name, waiting }) => ({ receiver: name, count: waiting }))
  }

  async close (): Promise<void> {
    await Promise.all(this.#subscriptions.map(subscription => subscription.close()))
  }
}

/** Of its queue; the same for the same place among those with the same URL. */
function nameOf ({ url }: Webhook, place: number, all: Webhook[]): string {
  const same = all.slice(0, place).filter(other => other.url === url).length
  return `${createHash('sha256').update(`${same} ${url}`).digest('hex').slice(0, 32)}.jsonl`
}

async function namesIn (folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
