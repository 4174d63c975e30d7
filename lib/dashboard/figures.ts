import type { Metrics, Sample } from '../metrics/metrics.ts'

/** The relay's metrics at one time (ms since 1970). */
export interface Figures { time: number, samples: Sample[] }

/** What the page shows. */
const SHOWN = [
  'relay_info', 'process_start_time_seconds',
  'relay_connections', 'relay_peers', 'relay_documents',
  'relay_messages_received_total', 'relay_messages_sent_total', 'relay_received_bytes_total', 'relay_sent_bytes_total',
  'relay_sync_latency_seconds', 'relay_sync_fallbacks_total',
  'relay_journal_commit_seconds', 'relay_journal_written_bytes_total',
  'relay_storage_failing', 'relay_storage_backlog_bytes', 'relay_fold_backlog_bytes', 'relay_disk_free_bytes',
  'relay_disk_size_bytes',
  'relay_operation_duration_seconds',
  'relay_connections_refused_total', 'relay_access_refused_total', 'relay_limits_met_total',
  'relay_memory_bytes', 'relay_event_loop_delay_seconds',
  'process_cpu_user_seconds_total', 'process_cpu_system_seconds_total', 'process_resident_memory_bytes',
  'nodejs_heap_size_used_bytes'
]

/** There are hundreds of these, and the page shows averages. */
const LEFT_OUT = new Set(['relay_operation_duration_seconds_bucket'])

const FRESH = 500 // ms

/** Reads the metrics when somebody asks, and once for all who ask at about the same time. */
export class FigureReader {
  readonly #metrics: Metrics
  #last: { at: number, figures: Promise<Figures> } | undefined

  constructor (metrics: Metrics) {
    this.#metrics = metrics
  }

  async read (): Promise<Figures> {
    const now = performance.now()
    if (this.#last === undefined || now - this.#last.at > FRESH) this.#last = { at: now, figures: this.#read() }
    return await this.#last.figures
  }

  async #read (): Promise<Figures> {
    const samples = await this.#metrics.read(SHOWN)
    return { time: Date.now(), samples: samples.filter(({ name }) => !LEFT_OUT.has(name)) }
  }
}
