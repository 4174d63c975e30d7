import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'

const RESOLUTION = 20 // ms between samples
const QUANTILES = [0.5, 0.9, 0.99, 1]

/**
 * How late timers fire, over the last one to two windows (ms). Two monitors take turns, so that reading resets nothing:
 * any number of readers see the same. Returns the way to stop.
 */
export function watchEventLoop (registry: Registry, window = 30_000): () => void {
  let older = start()
  let newer = start()
  const turn = setInterval(() => {
    older.disable()
    older = newer
    newer = start()
  }, window)
  turn.unref()

  const gauge: Gauge<'quantile'> = new Gauge({
    name: 'relay_event_loop_delay_seconds',
    help: 'How late the event loop ran in the last minute; quantile 1 is the longest delay',
    labelNames: ['quantile'],
    registers: [registry],
    collect () {
      for (const quantile of QUANTILES) {
        const nanoseconds = older.count === 0 ? 0 : older.percentile(quantile * 100)
        // what is sampled is the whole time between two ticks
        gauge.set({ quantile }, Math.max(0, nanoseconds / 1e9 - RESOLUTION / 1e3))
      }
    }
  })

  return () => {
    clearInterval(turn)
    older.disable()
    newer.disable()
  }
}

function start () {
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION })
  monitor.enable()
  return monitor
}
