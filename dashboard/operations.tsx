import type { Figures } from '../lib/dashboard/figures.ts'
import { count, latency, perSecond } from './format.ts'
import { useMonitor } from './monitor.ts'
import { Table } from './parts.tsx'

interface Operation { part: string, operation: string, result: string, count: number, seconds: number }

const NAME = 'relay_operation_duration_seconds'

/** What is done with bundles, their store and the stored documents: how often, how long, with which result. */
export function Operations () {
  const { now, before } = useMonitor()
  const operations = now && read(now)
  const earlier = new Map(before && read(before))
  const recent = ([key, { count }]: Row) => count - (earlier.get(key)?.count ?? 0)
  return (
    <section aria-labelledby='operations'>
      <h2 id='operations'>Operations</h2>
      <Table<Row>
        caption='Operations on bundles, their store and the stored documents since the start'
        keyOf={([key]) => key}
        rows={operations}
        empty='None yet.'
        columns={[
          { name: 'Operation', cell: ([, { part, operation }]) => `${part}: ${operation}` },
          { name: 'Result', cell: ([, { result }]) => result === 'ok' ? 'ok' : <strong class='bad'>{result}</strong> },
          { name: 'Count', isNumber: true, cell: ([, { count: n }]) => count(n) },
          {
            name: 'Lately',
            isNumber: true,
            cell: row => now === before ? '–' : perSecond(recent(row) * 1000 / (now!.time - before!.time))
          },
          { name: 'Average', isNumber: true, cell: ([, { seconds, count: n }]) => latency(seconds / n) }
        ]}
      />
    </section>
  )
}

type Row = [key: string, operation: Operation]

function read ({ samples }: Figures): Row[] {
  const found = new Map<string, Operation>()
  for (const { name, labels, value } of samples) {
    const isCount = name === `${NAME}_count`
    if (!isCount && name !== `${NAME}_sum`) continue
    const { part, operation, result } = labels as Record<string, string>
    const key = [part, operation, result].join(' ')
    const known = found.get(key) ?? { part: part!, operation: operation!, result: result!, count: 0, seconds: 0 }
    found.set(key, { ...known, [isCount ? 'count' : 'seconds']: value })
  }
  return [...found].sort(([a], [b]) => a < b ? -1 : 1)
}
