import { monitorEventLoopDelay } from 'node:perf_hooks'
import { memoryUsage } from '../process.ts'
import type { LimitsSettings } from './options.ts'

const RESOLUTION = 10 // ms between samples
const WINDOW = 1_000 // ms

/**
 * How late the event loop ran in the last second, and the resident memory. Not @fastify/under-pressure, whose timer
 * throws, and so ends the process, when there is no file descriptor left to read the memory with.
 */
export class Load {
  readonly #limits: Pick<LimitsSettings, 'eventLoopDelay' | 'memory'>
  readonly #monitor = monitorEventLoopDelay({ resolution: RESOLUTION })
  readonly #timer: NodeJS.Timeout
  #delay = 0
  #memory = 0

  constructor (limits: Pick<LimitsSettings, 'eventLoopDelay' | 'memory'>) {
    this.#limits = limits
    this.#monitor.enable()
    this.#timer = setInterval(() => { this.#look() }, WINDOW).unref()
  }

  /** The limit that is exceeded, if one is. */
  get over (): 'eventLoopDelay' | 'memory' | undefined {
    const { eventLoopDelay, memory } = this.#limits
    if (this.#delay > eventLoopDelay) return 'eventLoopDelay'
    return memory !== undefined && this.#memory > memory ? 'memory' : undefined
  }

  close (): void {
    clearInterval(this.#timer)
    this.#monitor.disable()
  }

  #look (): void {
    // ns of the whole time between two samples; NaN when there was none in a whole window
    const { mean } = this.#monitor
    this.#delay = Number.isNaN(mean) ? Infinity : Math.max(0, mean / 1e6 - RESOLUTION)
    this.#monitor.reset()
    if (this.#limits.memory !== undefined) this.#memory = memoryUsage().rss
  }
}
