import { useEffect, useRef, useState } from 'preact/hooks'
import type { Figures } from '../lib/dashboard/figures.ts'
import { ApiError, get } from './api.ts'
import { quantile, rate, total } from './rates.ts'

const INTERVAL = 1_000 // ms between readings
const POINTS = 300 // that are plotted
const READINGS = 60 // that rates and latencies are taken from, beside the last
const WINDOW = 10 // readings that latencies are taken over: in one second there may be few

/** What is plotted, of one reading; null where nothing can be said. */
export interface Point {
  /** s since 1970 */
  time: number
  connections: number | null
  documents: number | null
  messagesIn: number | null
  messagesOut: number | null
  bytesIn: number | null
  bytesOut: number | null
  /** s */
  sync50: number | null
  sync99: number | null
  commit50: number | null
  commit99: number | null
  loop99: number | null
  /** 1 is one processor */
  cpu: number | null
  refused: number | null
}

type State = { name: 'starting' } | { name: 'live' } | { name: 'paused' } | { name: 'lost', error: ApiError }

/** Reads the relay's metrics every second while somebody looks, and keeps the last minutes of them. */
export class Monitor {
  state: State = { name: 'starting' }
  figures: Figures[] = []
  points: Point[] = []
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #paused = false

  constructor () {
    document.addEventListener('visibilitychange', () => { this.#next(0) })
  }

  get now (): Figures | undefined { return this.figures.at(-1) }

  /** The reading that latencies and the like are taken from. */
  get before (): Figures | undefined { return this.figures.at(-1 - WINDOW) ?? this.figures[0] }

  get isPaused (): boolean { return this.#paused }

  pause (isPaused: boolean): void {
    this.#paused = isPaused
    if (isPaused) this.#set({ name: 'paused' })
    this.#next(0)
  }

  start (): void { this.#next(0) }

  listen (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #next (wait: number): void {
    clearTimeout(this.#timer)
    if (this.#paused || document.hidden) return
    this.#timer = setTimeout(() => { this.#read() }, wait)
  }

  async #read (): Promise<void> {
    try {
      const figures = await get<Figures>('dashboard/data/figures')
      if (this.#paused) return
      this.#take(figures)
      this.#set({ name: 'live' })
    } catch (error) {
      if (!this.#paused) {
        this.#set({ name: 'lost', error: error instanceof ApiError ? error : new ApiError(String(error)) })
      }
    }
    const isRefused = this.state.name === 'lost' && (this.state.error.status === 401 || this.state.error.status === 403)
    if (!isRefused) this.#next(INTERVAL)
  }

  #take (now: Figures): void {
    if (now.time === this.now?.time) return
    // another process, or a sleep: what is before it says nothing of now
    const last = this.now
    const started = (figures: Figures): number | undefined => total(figures, 'process_start_time_seconds')
    if (last !== undefined && (started(last) !== started(now) || now.time - last.time > 30_000)) this.figures = []
    const previous = this.now ?? now
    this.figures = [...this.figures, now].slice(-1 - READINGS)
    this.points = [...this.points, pointOf(this.before!, previous, now)].slice(-POINTS)
  }

  #set (state: State): void {
    this.state = state
    for (const listener of this.#listeners) listener()
  }
}

function pointOf (before: Figures, previous: Figures, now: Figures): Point {
  const level = (name: string) => total(now, name) ?? null
  const grown = (...names: string[]) => names.reduce<number | null>((sum, name) => {
    const one = rate(previous, now, name)
    return one === null || sum === null ? null : sum + one
  }, 0)
  const loop =
    now.samples.find(({ name, labels }) => name === 'relay_event_loop_delay_seconds' && labels['quantile'] === 0.99)
  return {
    time: now.time / 1000,
    connections: level('relay_connections'),
    documents: level('relay_documents'),
    messagesIn: grown('relay_messages_received_total'),
    messagesOut: grown('relay_messages_sent_total'),
    bytesIn: grown('relay_received_bytes_total'),
    bytesOut: grown('relay_sent_bytes_total'),
    sync50: quantile(before, now, 'relay_sync_latency_seconds', 0.5),
    sync99: quantile(before, now, 'relay_sync_latency_seconds', 0.99),
    commit50: quantile(before, now, 'relay_journal_commit_seconds', 0.5),
    commit99: quantile(before, now, 'relay_journal_commit_seconds', 0.99),
    loop99: loop?.value ?? null,
    cpu: grown('process_cpu_user_seconds_total', 'process_cpu_system_seconds_total'),
    refused: grown('relay_connections_refused_total', 'relay_access_refused_total')
  }
}

export const monitor = new Monitor()

/** Renders again with every reading. */
export function useMonitor (): Monitor {
  const [, render] = useState(0)
  useEffect(() => monitor.listen(() => { render(n => n + 1) }), [])
  return monitor
}

/** What is given, and while the monitor is paused what was given before. */
export function useStill<Value> (value: Value): Value {
  const shown = useRef(value)
  if (!useMonitor().isPaused) shown.current = value
  return shown.current
}

interface Data<Answer> { answer?: Answer, error?: ApiError }

/** What a data route answers: again and again while the monitor runs, and at once when the path is another. */
export function useData<Answer> (path: string, interval = 2_000): Data<Answer> {
  const [data, setData] = useState<Data<Answer> & { path?: string }>({})
  const { isPaused } = useMonitor()
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    const read = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          setData({ path, answer: await get<Answer>(path, abort.signal) })
        } catch (error) {
          if (abort.signal.aborted) return
          setData(known => ({
            ...known.path === path && known,
            path,
            error: error instanceof ApiError ? error : new ApiError(String(error))
          }))
        }
      }
      if (!isPaused && !abort.signal.aborted) timer = setTimeout(() => { read() }, interval)
    }
    read()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [path, interval, isPaused])
  return data.path === path ? data : {}
}
