import type { Figures } from '../lib/dashboard/figures.ts'
import type { Sample } from '../lib/metrics/metrics.ts'

// What rates and latencies follow from two readings of the relay's metrics.

type Fits = (labels: Sample['labels']) => boolean

const any: Fits = () => true

/** All samples of a name together; undefined when there is none. */
export function total ({ samples }: Figures, name: string, fits: Fits = any): number | undefined {
  let sum: number | undefined
  for (const sample of samples) if (sample.name === name && fits(sample.labels)) sum = (sum ?? 0) + sample.value
  return sum
}

/** How much a counter has grown, in a second on average; one that is lower than before belongs to another process. */
export function rate (before: Figures, now: Figures, name: string, fits: Fits = any): number | null {
  const seconds = (now.time - before.time) / 1000
  const grown = (total(now, name, fits) ?? 0) - (total(before, name, fits) ?? 0)
  return seconds > 0 && grown >= 0 ? grown / seconds : null
}

/**
 * A quantile of what a histogram has counted in between, within its bucket as if evenly spread (as Prometheus's
 * `histogram_quantile`); null when it has counted nothing.
 */
export function quantile (before: Figures, now: Figures, name: string, q: number): number | null {
  const counts = new Map<number, number>()
  const add = ({ samples }: Figures, sign: number): void => {
    for (const { name: one, labels, value } of samples) {
      if (one !== `${name}_bucket`) continue
      const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le'])
      counts.set(bound, (counts.get(bound) ?? 0) + sign * value)
    }
  }
  add(now, 1)
  add(before, -1)
  const all = counts.get(Infinity) ?? 0
  if (all <= 0) return null
  const rank = q * all
  let [lower, below] = [0, 0]
  for (const [bound, count] of [...counts].sort(([a], [b]) => a - b)) {
    if (count >= rank && count > below) {
      return bound === Infinity
        ? lower
        : lower + (bound - lower) * (rank - below) / (count - below)
    }[lower, below] = [bound, count]
  }
  return null
}

/** The values of a label, with their samples' sum. */
export function byLabel ({ samples }: Figures, name: string, label: string): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { name: one, labels, value } of samples) {
    if (one !== name) continue
    const key = String(labels[label])
    sums.set(key, (sums.get(key) ?? 0) + value)
  }
  return sums
}
