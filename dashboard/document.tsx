import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { DocumentRow } from '../lib/dashboard/dashboard.ts'
import { syncAddress } from './api.ts'
import { Connections } from './connections.tsx'
import { bytes, count, date, hash } from './format.ts'
import type { Change, LiveDocument, View } from './live-document.ts'
import { useData, useStill } from './monitor.ts'
import { Facts, Id, Pager, Problem, Table, rangeOf } from './parts.tsx'

const LARGE = 5_000_000 // bytes that are not opened unasked
const CHANGES = 20 // in a part of the history

/** One document: what the relay has of it, and what is in it, live. */
export function Document ({ id }: { id: string }) {
  const { answer, error } = useData<DocumentRow>(`dashboard/data/documents/${encodeURIComponent(id)}`)
  const [isWanted, setWanted] = useState(false)
  const isOpen = useRef(false) // for good: it may grow
  isOpen.current ||= isWanted || (answer !== undefined && answer.bytes < LARGE)
  const live = answer?.live
  const followers = (
    <section aria-labelledby='followers'>
      <h2 id='followers'>Followers</h2>
      <Connections document={id} />
    </section>
  )
  return (
    <>
      <p class='crumb'><a href='#/documents'>Documents</a> / <Id>{id}</Id></p>
      <Problem error={error} />
      {answer !== undefined &&
        <Facts facts={[
          ['Stored', answer.isDeleted ? 'deleted' : bytes(answer.bytes)],
          ['Files', count(answer.files)],
          ['In memory', live ? 'yes' : 'no'],
          ['Changes', count(live?.changes)],
          ['Peers', count(live?.peers)],
          ...answer.damage === null ? [] : [['Damage', answer.damage] as const]
        ]}
        />}
      {answer !== undefined && (isOpen.current
        ? <Contents id={id}>{followers}</Contents>
        : (
          <>
            <p>
              <button type='button' onClick={() => { setWanted(true) }}>Open its {bytes(answer.bytes)} here</button>
            </p>
            {followers}
          </>
          ))}
    </>
  )
}

/**
 * The document in a Repo of this page's own, as its peers have it.
 * @param children come before the history, which is long
 */
function Contents ({ id, children }: { id: string, children: ComponentChildren }) {
  const [document, setDocument] = useState<LiveDocument>()
  const [latest, setView] = useState<View>()
  const view = useStill(latest)
  const [problem, setProblem] = useState<string>()
  const [past, setPast] = useState<{ hash: string, text: string }>()
  const [offset, setOffset] = useState(0)
  useEffect(() => {
    let opened: LiveDocument | undefined
    let isGone = false
    import('./live-document.ts').then(async ({ openDocument }) => {
      if (isGone) return
      opened = openDocument(syncAddress(), id, setView)
      setDocument(opened)
      await opened.found
    }).catch((error: unknown) => { if (!isGone) setProblem(error instanceof Error ? error.message : String(error)) })
    return () => {
      isGone = true
      opened?.close()
    }
  }, [])

  if (problem !== undefined) return <><p class='problem' role='alert'>It cannot be opened: {problem}</p>{children}</>
  if (view === undefined || document === undefined) return <><p role='status'>Opening …</p>{children}</>
  const moment = past === undefined
    ? `live, as of ${new Date(view.time).toLocaleTimeString('en-GB')}`
    : `at the change ${hash(past.hash)}`
  return (
    <>
      <section aria-labelledby='contents'>
        <h2 id='contents'>Contents <span class='muted'>{moment}</span></h2>
        {past !== undefined &&
          <p><button type='button' onClick={() => { setPast(undefined) }}>Back to live</button></p>}
        <pre class='json' tabIndex={0} role='region' aria-label='As JSON'>{past?.text ?? view.text}</pre>
      </section>
      <section aria-labelledby='heads'>
        <h2 id='heads'>Heads</h2>
        <ul class='heads'>{view.heads.map(head => <li key={head}><Id>{head}</Id></li>)}</ul>
      </section>
      {children}
      <section aria-labelledby='history'>
        <h2 id='history'>History</h2>
        <Table<Change>
          caption='Changes, the last first'
          keyOf={change => change.hash}
          rows={view.changes(offset, CHANGES)}
          empty='None.'
          columns={[
            { name: 'Change', cell: change => <code>{hash(change.hash)}</code> },
            { name: 'Time', cell: ({ time }) => time === 0 ? 'not said' : date(time * 1000) },
            { name: 'Actor', cell: ({ actor, seq }) => <><code>{hash(actor)}</code> no. {count(seq)}</> },
            { name: 'Operations', isNumber: true, cell: ({ operations }) => count(operations) },
            { name: 'Message', cell: ({ message }) => message ?? '' },
            {
              name: 'Contents',
              cell: change => (
                <button
                  type='button'
                  aria-pressed={past?.hash === change.hash}
                  onClick={() => { setPast({ hash: change.hash, text: document.textAt(change.hash) }) }}
                >Show<span class='hidden'> at {hash(change.hash)}</span>
                </button>
              )
            }
          ]}
        />
        <Pager
          label='Pages of changes'
          text={rangeOf(offset, CHANGES, view.count)}
          back={offset > 0 ? () => { setOffset(Math.max(0, offset - CHANGES)) } : undefined}
          next={offset + CHANGES < view.count ? () => { setOffset(offset + CHANGES) } : undefined}
        />
      </section>
    </>
  )
}
