import { useState } from 'preact/hooks'
import type { DocumentRow, Listing } from '../lib/dashboard/dashboard.ts'
import { bytes, count, hash } from './format.ts'
import { useData } from './monitor.ts'
import { usePages } from './pages.ts'
import { Id, Pager, Problem, Table } from './parts.tsx'

const LIMIT = 50

export function Documents () {
  const [prefix, setPrefix] = useState('')
  const [open, setOpen] = useState(false)
  const [damaged, setDamaged] = useState(false)
  const { after, number, reset, back, nextAfter } = usePages()
  const query = new URLSearchParams({
    limit: String(LIMIT),
    open: String(open),
    damaged: String(damaged),
    ...prefix !== '' && { prefix },
    ...after !== undefined && { after }
  })
  const { answer, error } = useData<Listing<DocumentRow>>(`dashboard/data/documents?${query}`)
  const last = answer?.list.at(-1)
  return (
    <>
      <form class='filters' role='search' onSubmit={event => { event.preventDefault() }}>
        <label>Id, or how it begins <input
          type='search' value={prefix} spellcheck={false}
          onInput={event => { setPrefix(event.currentTarget.value.trim().replace(/^automerge:/, '')); reset() }}
                                    />
        </label>
        <label class='check'><input
          type='checkbox' checked={open}
          onChange={event => { setOpen(event.currentTarget.checked); reset() }}
                             /> in memory only
        </label>
        <label class='check'><input
          type='checkbox' checked={damaged}
          onChange={event => { setDamaged(event.currentTarget.checked); reset() }}
                             /> damaged only
        </label>
      </form>
      <Problem error={error} />
      <Table<DocumentRow>
        caption={
          `${damaged ? 'Damaged documents' : open ? 'Documents' : 'Stored documents'}${open ? ' in memory' : ''}, by id`
        }
        keyOf={({ id }) => id}
        rows={answer?.list}
        empty='None.'
        columns={[
          { name: 'Document', cell: ({ id }) => <a href={`#/documents/${id}`}><Id>{id}</Id></a> },
          {
            name: 'Stored',
            isNumber: true,
            cell: ({ bytes: size, isDeleted, damage }) =>
              isDeleted ? 'deleted' : `${bytes(size)}${damage === null ? '' : ', damaged'}`
          },
          { name: 'Files', isNumber: true, cell: ({ files }) => count(files) },
          { name: 'In memory', cell: ({ live }) => live === null ? 'no' : 'yes' },
          { name: 'Changes', isNumber: true, cell: ({ live }) => count(live?.changes) },
          { name: 'Peers', isNumber: true, cell: ({ live }) => count(live?.peers) },
          { name: 'Heads', cell: ({ live }) => <Heads heads={live?.heads} /> }
        ]}
      />
      <Pager
        label='Pages of documents'
        text={`page ${number}`}
        back={back}
        next={answer?.isMore === true && last !== undefined ? nextAfter(last.id) : undefined}
      />
    </>
  )
}

/** The first letters of a few. */
function Heads ({ heads }: { heads: readonly string[] | undefined }) {
  if (heads === undefined) return <>–</>
  const more = heads.length - 3
  return <><code>{heads.slice(0, 3).map(hash).join(' ')}</code>{more > 0 && ` and ${more} more`}</>
}
