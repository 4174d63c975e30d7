import { byLabel } from './rates.ts'
import { Chart } from './chart.tsx'
import { count, perSecond } from './format.ts'
import { useMonitor } from './monitor.ts'
import { Table } from './parts.tsx'

interface Row { kind: string, reason: string, total: number, lately: number }

/** What the relay counts of its refusals: the counter, the label that says why, and what was refused. */
const COUNTERS = [
  ['relay_connections_refused_total', 'code', 'Connection closed'],
  ['relay_access_refused_total', 'code', 'Access refused'],
  ['relay_limits_met_total', 'limit', 'Limit met']
] as const

const LATELY = 60_000 // ms

export function Refusals () {
  const { now, figures, points } = useMonitor()
  const then = figures.find(({ time }) => now!.time - time <= LATELY)
  const rows = now && COUNTERS.flatMap(([name, label, kind]) => {
    const before = byLabel(then!, name, label)
    return [...byLabel(now, name, label)].map(([reason, total]): Row => ({
      kind, reason, total, lately: total - (before.get(reason) ?? 0)
    }))
  }).filter(({ total }) => total > 0).sort((a, b) => b.total - a.total)
  return (
    <>
      <section aria-labelledby='rate'>
        <h2 id='rate'>Rate</h2>
        <div class='charts'>
          <Chart
            title='Refusals' points={points} format={perSecond}
            lines={[{ key: 'refused', name: 'connections and access' }]}
          />
        </div>
      </section>
      <section aria-labelledby='reasons'>
        <h2 id='reasons'>Reasons</h2>
        <Table<Row>
          caption='Since the relay started, the most frequent first'
          keyOf={({ kind, reason }) => `${kind} ${reason}`}
          rows={rows}
          empty='Nothing has been refused.'
          columns={[
            { name: 'Reason', cell: ({ reason }) => <code>{reason}</code> },
            {
              name: 'What happened',
              cell: ({ kind, reason }) => <>{kind}<span class='muted sub'>{MEANINGS[reason]}</span></>
            },
            { name: 'Total', isNumber: true, cell: ({ total }) => count(total) },
            {
              name: 'Last minute',
              isNumber: true,
              cell: ({ lately }) => lately > 0 ? <strong class='bad'>{count(lately)}</strong> : '0'
            }
          ]}
        />
      </section>
    </>
  )
}

/** In a few words, what is seen most. */
const MEANINGS: Record<string, string> = {
  RELAY_UNAUTHENTICATED: 'no token, or one that is not accepted',
  RELAY_TOKEN_EXPIRED: 'the token has run out',
  RELAY_ACCESS_DENIED: 'not allowed by the rules',
  RELAY_ACCESS_REVOKED: 'access was taken back',
  RELAY_KEYS_UNAVAILABLE: 'the keys of tokens cannot be fetched',
  RELAY_FRAME_NOT_BINARY: 'text instead of a frame',
  RELAY_FRAME_INVALID: 'a frame that cannot be read',
  RELAY_FRAME_TOO_LARGE: 'a frame above maxFrame',
  RELAY_FRAME_UNEXPECTED: 'a frame out of turn',
  RELAY_SYNC_INVALID: 'a sync message or change that cannot be applied',
  RELAY_DOCUMENT_INVALID: 'a change that Automerge could not load again',
  RELAY_PROTOCOL_VERSION: 'another version of the protocol',
  RELAY_HANDSHAKE_TIMEOUT: 'did not join in time',
  RELAY_PEER_SLOW: 'left too much unread',
  RELAY_STORAGE_FAILED: 'the storage did not take changes',
  RELAY_CLOSING: 'the relay was closing',
  RELAY_INTERNAL: 'a fault of the relay’s: see its log'
}
