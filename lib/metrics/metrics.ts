import { totalmem } from 'node:os'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { RelayError, type RelayErrorCode } from '../errors.ts'
import { memoryUsage } from '../process.ts'
import type { FallbackCause } from '../sync/context.ts'
import type { FrameType } from '../wire/frame.ts'
import { watchEventLoop } from './event-loop.ts'
import { watchProcess } from './process.ts'
import { Traffic } from './traffic.ts'

export interface MetricsOptions {
  /** The relay's version */
  version: string
}

/** Figures that are asked for when somebody reads the metrics. */
export interface Levels { connections: number, peers: number, documents: number }

/** One number of a metric; `name` is that of the metric, with `_bucket`, `_sum` or `_count` after it for a histogram. */
export interface Sample { name: string, labels: Record<string, string | number>, value: number }

/** What both Tonk relays' `/metrics` say, together. */
export interface MetricsJson {
  /** ms since 1970 */
  timestamp: number
  /** bytes; `total` is the machine's, all else this process's */
  memory: { rss: number, total: number, heapTotal: number, heapUsed: number, external: number, arrayBuffers: number }
  connections: number
  /** s */
  uptime: number
  /** `version` is Node's */
  process: { pid: number, version: string, platform: string }
}

/** What the relay counts and measures; each relay has its own. */
export class Metrics {
  readonly contentType: string
  readonly #registry = new Registry()
  readonly #stop: Array<() => void>
  readonly #received = new Traffic(this.#registry, 'received', 'from')
  readonly #sent = new Traffic(this.#registry, 'sent', 'to')
  readonly #refused = this.#counter('relay_connections_refused_total', 'Connections closed by the relay, by error code', ['code'])
  readonly #accessRefused = this.#counter('relay_access_refused_total', 'Requests, connections and changes refused by access control, by error code', ['code'])
  readonly #fallbacks = this.#counter('relay_sync_fallbacks_total', 'Times that a peer’s sync was left to Automerge, by cause', ['cause'])
  readonly #withheld = this.#counter('relay_messages_withheld_total', 'Messages that were not sent because their peers take none so large', [])
  readonly #syncLatency = new Histogram({
    name: 'relay_sync_latency_seconds',
    help: 'From an edit received to its sender answered',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers: [this.#registry]
  })

  readonly #commits = new Histogram({
    name: 'relay_journal_commit_seconds',
    help: 'From a batch of changes taken to it being as durable as configured',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: [this.#registry]
  })

  readonly #batches = new Histogram({
    name: 'relay_journal_batch_records',
    help: 'Changes that were written to the journal together',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024],
    registers: [this.#registry]
  })

  readonly #committed = this.#counter('relay_journal_written_bytes_total', 'Bytes written to the journal', [])
  readonly #memory = new Map<string, () => number>()
  readonly #operations = new Histogram({
    name: 'relay_operation_duration_seconds',
    help: 'Operations on bundles, the bundle store and document storage, by result: ok, a RELAY_ code, or error',
    labelNames: ['part', 'operation', 'result'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
    registers: [this.#registry]
  })

  #levels = (): Levels => ({ connections: 0, peers: 0, documents: 0 })

  constructor ({ version }: MetricsOptions) {
    this.contentType = this.#registry.contentType
    this.#gauge('relay_connections', 'Open connections', () => this.#levels().connections)
    this.#gauge('relay_peers', 'Connections that have joined', () => this.#levels().peers)
    this.#gauge('relay_documents', 'Documents in memory', () => this.#levels().documents)
    const memory = this.#memory
    // eslint-disable-next-line no-new
    new Gauge({
      name: 'relay_memory_bytes',
      help: 'Memory by what it is for, as far as that is known; part of the process’s',
      labelNames: ['part'],
      registers: [this.#registry],
      collect () { for (const [part, read] of memory) this.set({ part }, read()) }
    })
    new Gauge({ name: 'relay_info', help: 'Always 1; its labels tell the versions', labelNames: ['version', 'node'], registers: [this.#registry] })
      .set({ version, node: process.version }, 1)
    this.#stop = [watchEventLoop(this.#registry), watchProcess(this.#registry)]
  }

  /** Takes in figures of a part that keeps them itself. */
  include (register: (registry: Registry) => void): void {
    register(this.#registry)
  }

  /** One message from a peer; `invalid` when it could not be read. */
  messageIn (type: FrameType | 'invalid', bytes: number): void {
    this.#received.add(type, bytes)
  }

  /** One message to a peer. */
  messageOut (type: FrameType, bytes: number): void {
    this.#sent.add(type, bytes)
  }

  /** The time from an edit's arrival until its sender was answered. */
  syncLatency (seconds: number): void {
    this.#syncLatency.observe(seconds)
  }

  /** A peer's sync was left to Automerge. */
  fallback (cause: FallbackCause): void {
    this.#fallbacks.inc({ cause })
  }

  /** A message was not sent because its peer takes none so large. */
  withheld (): void {
    this.#withheld.inc()
  }

  /** A connection closed by the relay. */
  refused (code: RelayErrorCode): void {
    this.#refused.inc({ code })
  }

  /** Access control refused something. */
  accessRefused (code: RelayErrorCode): void {
    this.#accessRefused.inc({ code })
  }

  /** Runs, times and counts one operation; `name` is one of a few, never made of input. Settles as `run` does. */
  async operation<T> (part: 'bundle' | 'store' | 'storage', name: string, run: () => Promise<T>): Promise<T> {
    const took = this.#operations.startTimer({ part, operation: name })
    try {
      const value = await run()
      took({ result: 'ok' })
      return value
    } catch (error) {
      took({ result: error instanceof RelayError ? error.code : 'error' })
      throw error
    }
  }

  /** A batch of changes was written to the journal. */
  committed (seconds: number, records: number, bytes: number): void {
    this.#commits.observe(seconds)
    this.#batches.observe(records)
    this.#committed.inc(bytes)
  }

  /** Where it is known how many bytes of memory a part takes; `part` is one of a few, never made of input. */
  watchMemory (part: string, read: () => number): void {
    this.#memory.set(part, read)
  }

  /** Where the levels come from. */
  watch (source: () => Levels): void {
    this.#levels = source
  }

  json (): MetricsJson {
    const { pid, version, platform } = process
    return {
      timestamp: Date.now(),
      memory: { ...memoryUsage(), total: totalmem() },
      connections: this.#levels().connections,
      uptime: process.uptime(),
      process: { pid, version, platform }
    }
  }

  /** Everything in Prometheus's text format 0.0.4, of type `contentType`. */
  text (): Promise<string> {
    return this.#registry.metrics()
  }

  /** Some of the metrics, by name, as Prometheus is told of them; those that are not there are left out. */
  async read (names: readonly string[]): Promise<Sample[]> {
    const metrics = await Promise.all(names.map(async metric => ({ metric, read: await this.#registry.getSingleMetric(metric)?.get() })))
    return metrics.flatMap(({ metric, read }) => (read?.values ?? []).map(({ value, labels, ...rest }) =>
      ({ name: (rest as { metricName?: string }).metricName ?? metric, labels: labels as Sample['labels'], value })))
  }

  /** Ends all watching; what was counted can still be read. */
  close (): void {
    for (const stop of this.#stop) stop()
  }

  #counter<Label extends string> (name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #gauge (name: string, help: string, read: () => number): void {
    new Gauge({ name, help, registers: [this.#registry], collect () { this.set(read()) } }) // eslint-disable-line no-new
  }
}
