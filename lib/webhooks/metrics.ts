import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { EventType } from './options.ts'

/** What becomes of an event: a 2xx was answered, too many tries failed, or too many waited. */
export type Outcome = 'delivered' | 'given_up' | 'dropped'

/** What is counted of deliveries. */
export class Tally {
  readonly #deliveries = new Counter({
    name: 'relay_webhook_deliveries_total',
    help: 'Events for webhooks that need no more sending, by outcome: delivered, given_up after many tries, dropped ' +
      'as too many waited',
    labelNames: ['event', 'outcome'],
    registers: []
  })

  readonly #retries = new Counter({
    name: 'relay_webhook_retries_total', help: 'Events sent to webhooks again', labelNames: ['event'], registers: []
  })

  readonly #requests = new Histogram({
    name: 'relay_webhook_request_duration_seconds',
    help: 'Requests to webhooks, by result: ok or failed',
    labelNames: ['event', 'result'],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    registers: []
  })

  settled (event: EventType, outcome: Outcome): void {
    this.#deliveries.inc({ event, outcome })
  }

  retried (event: EventType): void {
    this.#retries.inc({ event })
  }

  /** @param seconds from a request to its answer, or to what came instead */
  requested (event: EventType, result: 'ok' | 'failed', seconds: number): void {
    this.#requests.observe({ event, result }, seconds)
  }

  register (registry: Registry): void {
    for (const metric of [this.#deliveries, this.#retries, this.#requests]) registry.registerMetric(metric as Counter)
  }
}

/** Whose deliveries are counted, and what waits for each receiver. */
export interface Counted { readonly tally: Tally, waiting (): Array<{ receiver: string, count: number }> }

/** Puts what is counted, and what waits, where Prometheus gets it from. */
export function registerWebhookMetrics (webhooks: Counted, registry: Registry): void {
  webhooks.tally.register(registry)
  new Gauge({ // eslint-disable-line no-new
    name: 'relay_webhook_events_waiting',
    help: 'Events that still wait for a receiver',
    labelNames: ['receiver'],
    registers: [registry],
    collect () {
      this.reset()
      for (const { receiver, count } of webhooks.waiting()) this.inc({ receiver }, count)
    }
  })
}
