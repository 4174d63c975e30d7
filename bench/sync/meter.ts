import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import { cpuOf, machineCpu, memoryOf } from './process-tree.ts'
import type { Server } from './server.ts'
import type { Traffic, Wire } from './wire.ts'

/** What one run found, by name and unit, in the order of the table. Undefined: not known of this server. */
export type Figures = Record<string, number | undefined>

/** What was used in a stretch of time. CPU in seconds, memory in kB. */
export interface Use extends Traffic {
  seconds: number
  server: number
  load: number
  others: number
  memoryBefore: number
  memoryAfter: number
  /** The longest that the load generator itself was held up, ms: it is inside every latency. */
  stall: number
}

interface Reading { at: number, server: number, load: number, machine: number, memory: number, traffic: Traffic }

/** Reads clocks and counters when made, and again when asked. */
export class Meter {
  readonly #server: Server
  readonly #wires: Wire[]
  readonly #start: Reading
  readonly #loop: IntervalHistogram

  constructor (server: Server, wires: Wire[] = []) {
    this.#server = server
    this.#wires = wires
    this.#loop = monitorEventLoopDelay({ resolution: 5 })
    this.#loop.enable()
    this.#start = this.#read()
  }

  /** What was used since it was made. */
  use (): Use {
    const [start, end] = [this.#start, this.#read()]
    const server = end.server - start.server
    const load = end.load - start.load
    const since = (key: keyof Traffic): number => end.traffic[key] - start.traffic[key]
    return {
      seconds: (end.at - start.at) / 1000,
      server,
      load,
      others: Math.max(0, end.machine - start.machine - server - load),
      memoryBefore: start.memory,
      memoryAfter: end.memory,
      stall: this.#loop.max / 1e6,
      messagesIn: since('messagesIn'),
      bytesIn: since('bytesIn'),
      messagesOut: since('messagesOut'),
      bytesOut: since('bytesOut')
    }
  }

  #read (): Reading {
    const traffic: Traffic = { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0 }
    for (const wire of this.#wires) {
      for (const key of Object.keys(traffic) as Array<keyof Traffic>) traffic[key] += wire.traffic[key]
    }
    const own = process.cpuUsage()
    return {
      at: performance.now(),
      server: cpuOf(this.#server.pid),
      load: (own.user + own.system) / 1e6,
      machine: machineCpu(),
      memory: memoryOf(this.#server.pid),
      traffic
    }
  }
}

export const LOAD_CORES = 'load generator, cores'
const LOAD_STALL = 'load generator held up, ms'
const OTHERS = 'other work, cores'

/** Rows that say whether the others can be believed. */
export const CREDIBILITY = [LOAD_CORES, LOAD_STALL, OTHERS]

export const credibility = ({ load, others, seconds, stall }: Use): Figures => ({
  [LOAD_CORES]: load / seconds,
  [LOAD_STALL]: stall,
  [OTHERS]: others / seconds
})
