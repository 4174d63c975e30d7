import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RelayErrorCode } from '../errors.ts'
import type { FrameType } from '../wire/frame.ts'
import type { EngineMeter, FallbackCause } from './context.ts'
import type { RelayEngine } from './relay-engine.ts'
import { Traffic } from './traffic.ts'

const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] // s

/** Counts and measures what the engine does. */
export class SyncMeter implements EngineMeter {
  readonly #received: Traffic
  readonly #sent: Traffic
  readonly #refused: Counter<'code'>
  readonly #fallbacks: Counter<'cause'>
  readonly #withheld: Counter
  readonly #latency: Histogram

  constructor (registry: Registry) {
    const registers = [registry]
    this.#received = new Traffic(registry, 'received', 'from')
    this.#sent = new Traffic(registry, 'sent', 'to')
    this.#refused = new Counter({
      name: 'relay_connections_refused_total',
      help: 'Connections closed by the relay, by error code',
      labelNames: ['code'],
      registers
    })
    this.#fallbacks = new Counter({
      name: 'relay_sync_fallbacks_total',
      help: 'How often a peer’s sync was left to Automerge, by cause',
      labelNames: ['cause'],
      registers
    })
    this.#withheld = new Counter({
      name: 'relay_messages_withheld_total',
      help: 'Messages that were not sent because their peers do not accept messages that large',
      registers
    })
    this.#latency = new Histogram({
      name: 'relay_sync_latency_seconds',
      help: 'Time from receiving an edit to answering its sender',
      buckets: LATENCY_BUCKETS,
      registers
    })
  }

  messageIn (type: FrameType | 'invalid', bytes: number): void { this.#received.add(type, bytes) }
  messageOut (type: FrameType, bytes: number): void { this.#sent.add(type, bytes) }
  syncLatency (seconds: number): void { this.#latency.observe(seconds) }
  refused (code: RelayErrorCode): void { this.#refused.inc({ code }) }
  fallback (cause: FallbackCause): void { this.#fallbacks.inc({ cause }) }
  withheld (): void { this.#withheld.inc() }
}

/** Puts what goes on in the engine where Prometheus gets it from. */
export function registerSyncMetrics (engine: RelayEngine, registry: Registry): void {
  const registers = [registry]
  // eslint-disable-next-line no-new
  new Gauge({
    name: 'relay_followers',
    help: 'Peers of documents, each once per document, by their standing',
    labelNames: ['standing'],
    registers,
    collect () {
      for (const [standing, count] of Object.entries(engine.levels().standings)) this.set({ standing }, count)
    }
  })
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name, help, registers, collect () { this.set(read()) } }) // eslint-disable-line no-new
  }
  gauge(
    'relay_unopened_documents',
    'Documents that cannot be opened: their peers are told that they are not available, and they are tried again',
    () => engine.levels().unopened
  )
  gauge(
    'relay_sync_sessions',
    'Documents that Automerge has open for peers whose sync was left to it',
    () => engine.levels().sessions.open
  )
  gauge('relay_sync_session_threads', 'Threads for these sessions', () => engine.levels().sessions.threads)
  gauge('relay_sync_session_calls', 'Unfinished calls to these sessions', () => engine.levels().sessions.calls)
}
