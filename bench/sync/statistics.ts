/** Sorted copy's value below which a part (0 to 1) of the values lies; undefined without values. */
export function percentile (values: ArrayLike<number>, part: number): number | undefined {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}

/** The middle value, or the mean of the two in the middle. */
export function median (values: number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 || sorted.length === 0 ? sorted[middle] : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const sleep = async (ms: number): Promise<void> => {
  await new Promise(resolve => setTimeout(resolve, Math.max(0, ms)))
}

/** Runs a function for each item, so many at once, in order. */
export async function inBatches<Item> (items: Item[], size: number, run: (item: Item) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(run))
}

/** Rejects when a promise has not settled in time. */
export async function within<Value> (promise: Promise<Value>, ms: number, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what}: nothing within ${ms} ms`)) }, ms)
  })
  return await Promise.race([promise, late]).finally(() => { clearTimeout(timer) })
}
