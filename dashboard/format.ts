const NOTHING = '–'

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** `1.4 MB`; `unit` may add to it, as in `1.4 MB/s`. */
export function bytes (value: number | null | undefined, unit = ''): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NOTHING
  let [n, step] = [value, 0]
  while (Math.abs(n) >= 999.5 && step < units.length - 1) {
    n /= 1000
    step++
  }
  return `${short(n, step === 0 ? 0 : 1)} ${units[step]}${unit}`
}

const short = (n: number, digits: number): string =>
  n.toLocaleString('en', { maximumFractionDigits: Math.abs(n) >= 100 ? 0 : digits })

export const count = (value: number | null | undefined): string =>
  value === null || value === undefined ? NOTHING : value.toLocaleString('en')

/** Something in a second: more digits the fewer it is. */
export const perSecond = (value: number | null | undefined): string =>
  value === null || value === undefined ? NOTHING : `${short(value, value < 10 ? 1 : 0)} /s`

/** Of seconds: `850 µs`, `4.2 ms`, `1.3 s`. */
export function latency (seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING
  if (seconds > 0 && seconds < 0.001) return `${short(seconds * 1e6, 0)} µs`
  return seconds < 1 ? `${short(seconds * 1e3, 1)} ms` : `${short(seconds, 1)} s`
}

export const percent = (ratio: number | null | undefined): string =>
  ratio === null || ratio === undefined ? NOTHING : `${short(ratio * 100, ratio < 0.1 ? 1 : 0)} %`

const spans: Array<[seconds: number, name: string]> = [[86_400, 'd'], [3_600, 'h'], [60, 'min'], [1, 's']]

/** The two largest parts of a time in ms: `3 h 12 min`. */
export function duration (ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1000))
  const first = spans.findIndex(([seconds]) => rest >= seconds)
  if (first === -1) return '0 s'
  return spans.slice(first, first + 2).flatMap(([seconds, name]) => {
    const n = Math.floor(rest / seconds)
    rest -= n * seconds
    return n === 0 ? [] : `${n} ${name}`
  }).join(' ')
}

export const date = (ms: number): string =>
  new Date(ms).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

/** The first letters of a hash. */
export const hash = (text: string): string => text.slice(0, 8)
