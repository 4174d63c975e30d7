import { totalmem } from 'node:os'
import { Gauge, Histogram, Registry } from 'prom-client'
import { RelayError } from '../errors.ts'
import { memoryUsage } from '../process.ts'
import { watchEventLoop } from './event-loop.ts'
import { watchProcess } from './process.ts'

export interface MetricsOptions {
  /** The relay's version */
  version: string
}

/** Figures that are asked for when somebody reads the metrics. */
export interface Levels { connections: number, peers: number, documents: number }

/**
 * One number of a metric; `name` is that of the metric, with `_bucket`, `_sum` or `_count` after it for a histogram.
 */
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
      help: 'Memory by purpose, as far as that is known; part of the process’s memory',
      labelNames: ['part'],
      registers: [this.#registry],
      collect () { for (const [part, read] of memory) this.set({ part }, read()) }
    })
    new Gauge({
      name: 'relay_info',
      help: 'Always 1; its labels give the versions',
      labelNames: ['version', 'node'],
      registers: [this.#registry]
    }).set({ version, node: process.version }, 1)
    this.#stop = [watchEventLoop(this.#registry), watchProcess(this.#registry)]
  }

  /** Includes metrics that a part of the relay keeps itself. Returns what `register` returns. */
  include<T> (register: (registry: Registry) => T): T {
    return register(this.#registry)
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
    const metrics = await Promise.all(names.map(async metric => {
      return { metric, read: await this.#registry.getSingleMetric(metric)?.get() }
    }))
    return metrics.flatMap(({ metric, read }) => (read?.values ?? []).map(({ value, labels, ...rest }) =>
      ({ name: (rest as { metricName?: string }).metricName ?? metric, labels: labels as Sample['labels'], value })))
  }

  /** Ends all watching; what was counted can still be read. */
  close (): void {
    for (const stop of this.#stop) stop()
  }

  #gauge (name: string, help: string, read: () => number): void {
    // eslint-disable-next-line no-new
    new Gauge({ name, help, registers: [this.#registry], collect () { this.set(read()) } })
  }
}
