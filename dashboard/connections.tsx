import { useState } from 'preact/hooks'
import type { ConnectionRow } from '../lib/dashboard/dashboard.ts'
import { bytes, count, duration } from './format.ts'
import { useData } from './monitor.ts'
import { Id, Pager, Problem, Table, rangeOf } from './parts.tsx'

const LIMIT = 50

interface ConnectionList { total: number, list: ConnectionRow[] }

/** What has passed, and in how many messages. */
function Passed ({ bytes: size, messages }: ConnectionRow['received']) {
  return <>{bytes(size)}<span class='muted sub'>{count(messages)} messages</span></>
}

/** Connections, the newest first. @param document only those that follow it */
export function Connections ({ document }: { document?: string }) {
  const [search, setSearch] = useState('')
  const [offset, setOffset] = useState(0)
  const query = new URLSearchParams({
    offset: String(offset),
    limit: String(LIMIT),
    ...search !== '' && { search },
    ...document !== undefined && { document }
  })
  const { answer, error } = useData<ConnectionList>(`dashboard/data/connections?${query}`)
  const total = answer?.total ?? 0
  const now = Date.now()
  return (
    <>
      {document === undefined &&
        <form class='filters' role='search' onSubmit={event => { event.preventDefault() }}>
          <label>Peer, address or principal <input
            type='search' value={search}
            onInput={event => { setSearch(event.currentTarget.value); setOffset(0) }}
                                            />
          </label>
        </form>}
      <Problem error={error} />
      <Table<ConnectionRow>
        caption={document === undefined
          ? 'Open connections, the newest first'
          : 'Connections that follow this document'}
        keyOf={({ key }) => key}
        rows={answer?.list}
        empty='None.'
        columns={[
          {
            name: 'Peer',
            cell: ({ peerId, key }) =>
              <><Id>{peerId === '' ? 'has not joined' : peerId}</Id><span class='muted sub'>{key}</span></>
          },
          { name: 'Address', cell: ({ address }) => address },
          { name: 'Principal', cell: ({ principal }) => principal },
          { name: 'Open for', isNumber: true, cell: ({ since }) => duration(now - since) },
          { name: 'Documents', isNumber: true, cell: ({ followed }) => count(followed) },
          { name: 'Received', isNumber: true, cell: ({ received }) => <Passed {...received} /> },
          { name: 'Sent', isNumber: true, cell: ({ sent }) => <Passed {...sent} /> },
          {
            name: 'Unread',
            isNumber: true,
            cell: ({ backlog }) => backlog > 0 ? <strong class='bad'>{bytes(backlog)}</strong> : bytes(0)
          }
        ]}
      />
      <Pager
        label='Pages of connections'
        text={rangeOf(offset, LIMIT, total)}
        back={offset > 0 ? () => { setOffset(Math.max(0, offset - LIMIT)) } : undefined}
        next={offset + LIMIT < total ? () => { setOffset(offset + LIMIT) } : undefined}
      />
    </>
  )
}
