import { PerformanceObserver, constants, type NodeGCPerformanceDetail, type PerformanceEntry } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { descriptors, memoryUsage } from '../process.ts'

type Read = () => number | Promise<number>
type GarbageCollection = PerformanceEntry & { detail: NodeGCPerformanceDetail }

/**
 * The process's own figures under the names that Prometheus client libraries agreed on. Not prom-client's
 * `collectDefaultMetrics`: that cannot be stopped, and each reading lists every open socket synchronously, several
 * times. Returns the way to stop.
 */
export function watchProcess (registry: Registry): () => void {
  const registers = [registry]
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({ name, help, registers, collect () { this.reset(); this.inc(read()) } }) // eslint-disable-line no-new
  }
  const gauge = (name: string, help: string, read: Read): void => {
    new Gauge({ name, help, registers, async collect () { this.set(await read()) } }) // eslint-disable-line no-new
  }

  counter('process_cpu_user_seconds_total', 'CPU time spent in user mode', () => process.cpuUsage().user / 1e6)
  counter('process_cpu_system_seconds_total', 'CPU time spent in the kernel', () => process.cpuUsage().system / 1e6)
  const started = Date.now() / 1e3 - process.uptime()
  gauge('process_start_time_seconds', 'When the process started, in seconds since 1970', () => started)
  gauge('process_resident_memory_bytes', 'Resident memory', () => memoryUsage().rss)
  gauge('nodejs_heap_size_total_bytes', 'JavaScript heap, allocated', () => memoryUsage().heapTotal)
  gauge('nodejs_heap_size_used_bytes', 'JavaScript heap, in use', () => memoryUsage().heapUsed)
  gauge(
    'nodejs_external_memory_bytes',
    'Memory of objects bound to JavaScript ones, buffers included',
    () => memoryUsage().external
  )
  gauge('process_open_fds', 'Open file descriptors', async () => (await descriptors())?.open ?? Number.NaN)
  gauge(
    'process_max_fds', 'Most file descriptors that may be open', async () => (await descriptors())?.most ?? Number.NaN
  )
  return watchGarbageCollection(registry)
}

const kinds: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb'
}

function watchGarbageCollection (registry: Registry): () => void {
  const histogram = new Histogram({
    name: 'nodejs_gc_duration_seconds',
    help: 'Pauses of the garbage collector, by kind',
    labelNames: ['kind'],
    buckets: [0.001, 0.01, 0.1, 1, 2, 5],
    registers: [registry]
  })
  const observer = new PerformanceObserver(list => {
    for (const { detail, duration } of list.getEntries() as GarbageCollection[]) {
      histogram.observe({ kind: kinds[detail.kind] ?? 'other' }, duration / 1e3)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => { observer.disconnect() }
}
