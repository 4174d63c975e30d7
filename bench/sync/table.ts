import { CREDIBILITY, LOAD_CORES, type Figures } from './meter.ts'
import { median } from './statistics.ts'

const BASES = ['sync-server', 'ws-send-ack', 'ws-send'] // what the first server is compared with
const BUSY = 0.9 // cores of the load generator's one thread

/** The middle figures of several runs. */
export function medians (runs: Figures[]): Figures {
  const names = new Set(runs.flatMap(run => Object.keys(run)))
  return Object.fromEntries([...names].map(name => [
    name, median(runs.map(run => run[name]).filter(value => value !== undefined))
  ]))
}

/** Three significant digits, or all before the point. */
function format (value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)))
  return value.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 3) })
}

/** Figures down, servers across, then what the first of them is as a multiple of others. */
export function printTable (title: string, figures: Map<string, Figures>): void {
  const [first] = figures.keys()
  const bases = BASES.filter(base => base !== first && figures.has(base))
  const names = new Set([...figures.values()].flatMap(one => Object.keys(one)))
  const rows = [['', ...figures.keys(), ...bases.map(base => `/ ${base}`)]]
  for (const name of names) {
    const ratios = bases.map(base => CREDIBILITY.includes(name)
      ? ''
      : format(
        figures.get(first!)![name]! / figures.get(base)![name]!
      ))
    rows.push([name, ...[...figures.values()].map(one => format(one[name])), ...ratios])
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)) + 2)
  console.log(`\n${title}\n`)
  for (const row of rows) {
    console.log(
      row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join('')
    )
  }
  for (const [server, { [LOAD_CORES]: cores = 0 }] of figures) {
    if (cores > BUSY) console.log(`${server}: the load generator was the limit, not the server`)
  }
}
