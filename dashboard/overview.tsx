import type { HealthReport } from '../lib/health/health.ts'
import { Chart } from './chart.tsx'
import { bytes, count, latency, percent, perSecond } from './format.ts'
import { useData, useMonitor } from './monitor.ts'
import { Operations } from './operations.tsx'
import { Facts, Problem } from './parts.tsx'
import { byLabel, total } from './rates.ts'

export function Overview () {
  const { now, points } = useMonitor()
  const last = points.at(-1)
  const level = (name: string) => now && total(now, name)
  return (
    <>
      <Health />
      <dl class='tiles'>
        <Tile name='Connections' value={count(last?.connections)} more={`${count(level('relay_peers'))} joined`} />
        <Tile
          name='Documents in memory'
          value={count(last?.documents)}
          more={`${bytes(now && byLabel(now, 'relay_memory_bytes', 'part').get('history'))} of changes`}
        />
        <Tile
          name='Messages'
          value={perSecond(last && sum(last.messagesIn, last.messagesOut))}
          more={bytes(last && sum(last.bytesIn, last.bytesOut), '/s')}
        />
        <Tile name='Edit answered, p99' value={latency(last?.sync99)} more={`p50 ${latency(last?.sync50)}`} />
        <Tile name='Event loop late, p99' value={latency(last?.loop99)} more={`CPU ${percent(last?.cpu)}`} />
        <Tile
          name='Memory'
          value={bytes(level('process_resident_memory_bytes'))}
          more={`heap ${bytes(level('nodejs_heap_size_used_bytes'))}`}
        />
      </dl>

      <section aria-labelledby='rates'>
        <h2 id='rates'>Rates and latencies <span class='muted'>the last five minutes that this page was open</span></h2>
        <div class='charts'>
          <Chart
            title='Messages' points={points} format={perSecond}
            lines={[{ key: 'messagesIn', name: 'received' }, { key: 'messagesOut', name: 'sent' }]}
          />
          <Chart
            title='Traffic' points={points} format={inASecond} isWhole
            lines={[{ key: 'bytesIn', name: 'received' }, { key: 'bytesOut', name: 'sent' }]}
          />
          <Chart
            title='Connections and documents' points={points} format={count} isWhole
            lines={[{ key: 'connections', name: 'connections' }, { key: 'documents', name: 'documents in memory' }]}
          />
          <Chart
            title='Edit received to answered' points={points} format={latency}
            lines={[{ key: 'sync99', name: 'p99' }, { key: 'sync50', name: 'p50' }]}
          />
          <Chart
            title='Journal write to durable' points={points} format={latency}
            lines={[{ key: 'commit99', name: 'p99' }, { key: 'commit50', name: 'p50' }]}
          />
          <Chart
            title='Processor' points={points} format={percent}
            lines={[{ key: 'cpu', name: 'of one processor' }]}
          />
        </div>
      </section>

      <div class='columns'>
        <section aria-labelledby='storage'>
          <h2 id='storage'>Storage</h2>
          <Facts facts={[
            ['Disk free', `${bytes(level('relay_disk_free_bytes'))} of ${bytes(level('relay_disk_size_bytes'))}`],
            ['Waiting to be stored', bytes(level('relay_storage_backlog_bytes'))],
            ['In the journal, not yet in files', bytes(level('relay_fold_backlog_bytes'))],
            ['Written to the journal since the start', bytes(level('relay_journal_written_bytes_total'))]
          ]}
          />
        </section>
        <section aria-labelledby='memory'>
          <h2 id='memory'>Memory by part</h2>
          <Facts facts={[...now === undefined ? [] : byLabel(now, 'relay_memory_bytes', 'part')]
            .map(([part, value]) => [PARTS[part] ?? part, bytes(value)] as const)}
          />
        </section>
        <section aria-labelledby='fallbacks'>
          <h2 id='fallbacks'>Left to Automerge’s own sync</h2>
          <Facts facts={fallbacks(now && byLabel(now, 'relay_sync_fallbacks_total', 'cause'))} />
        </section>
      </div>
      <Operations />
    </>
  )
}

const PARTS: Record<string, string> = {
  history: 'Changes at hand',
  outgoing: 'Unread by peers',
  sessions: 'Automerge’s threads',
  journal: 'Journal, not folded',
  views: 'Documents read over HTTP',
  slim: 'Slim bundles'
}

const inASecond = (value: number | null | undefined): string => bytes(value, '/s')

const sum = (a: number | null, b: number | null): number | null => a === null || b === null ? null : a + b

const fallbacks = (causes: Map<string, number> | undefined): Array<readonly [string, string]> => {
  const met = [...causes ?? []].filter(([, n]) => n > 0)
  return met.length === 0 ? [['All causes', '0']] : met.map(([cause, n]) => [cause, count(n)] as const)
}

function Tile ({ name, value, more }: { name: string, value: string, more: string }) {
  return <div><dt>{name}</dt><dd><b>{value}</b><span class='muted'>{more}</span></dd></div>
}

/** Whether the relay is of use, and if not, why. */
function Health () {
  const { answer, error } = useData<HealthReport>('health/ready', 5_000)
  if (answer === undefined) return <Problem error={error} />
  if (answer.status === 'ok') return <p class='health ok'>Ready: {Object.keys(answer.checks).join(', ')} are fine.</p>
  const failing = Object.entries(answer.checks)
    .flatMap(([name, check]) => check.status === 'ok' ? [] : [`${name} (${check.reason})`])
  return <p class='health problem' role='alert'>Not ready: {failing.join(', ')}.</p>
}
