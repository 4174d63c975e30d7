import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Bundle, Bundles } from './bundles.tsx'
import { Connections } from './connections.tsx'
import { Document } from './document.tsx'
import { Documents } from './documents.tsx'
import { duration } from './format.ts'
import { useMonitor, type Monitor } from './monitor.ts'
import { Overview } from './overview.tsx'
import { Refusals } from './refusals.tsx'
import { total } from './rates.ts'
import { useRoute } from './route.ts'
import { SignIn } from './sign-in.tsx'

const PAGES = [
  ['', 'Overview'], ['connections', 'Connections'], ['documents', 'Documents'], ['bundles', 'Bundles'],
  ['refusals', 'Refusals']
] as const

/** What a page is called that is about one of them. */
const ONE: Record<string, string> = { documents: 'Document', bundles: 'Bundle' }

export function App () {
  const [page = '', id] = useRoute()
  const monitor = useMonitor()
  const { state } = monitor
  const name = (id === undefined ? undefined : ONE[page]) ?? PAGES.find(([path]) => path === page)?.[1] ?? 'Not found'
  const title = useRef<HTMLHeadingElement>(null)
  const isFirst = useRef(true)
  useEffect(() => {
    document.title = `${name}${id === undefined ? '' : ` ${id}`} – Relay dashboard`
    // a reader of the screen is told where it is, and the keyboard goes on from there
    if (!isFirst.current) title.current?.focus()
    isFirst.current = false
  }, [page, id])

  const isShutOut = state.name === 'lost' && (state.error.status === 401 || state.error.status === 403)
  return (
    <>
      <a
        class='skip' href='#main'
        onClick={event => { event.preventDefault(); title.current?.focus() }}
      >Skip to content
      </a>
      <header>
        <div class='brand'>
          <span class='mark' aria-hidden='true' /><strong>Relay</strong><Process monitor={monitor} />
        </div>
        <nav aria-label='Pages'>
          <ul>
            {PAGES.map(([path, text]) => (
              <li key={path}><a href={`#/${path}`} aria-current={path === page ? 'page' : undefined}>{text}</a></li>
            ))}
          </ul>
        </nav>
        <Status monitor={monitor} />
      </header>
      <main id='main'>
        <h1 ref={title} tabIndex={-1}>{isShutOut ? 'Sign in' : name}</h1>
        {isShutOut ? <SignIn error={state.error} /> : pageOf(page, id)}
      </main>
    </>
  )
}

function pageOf (page: string, id: string | undefined): ComponentChildren {
  switch (page) {
    case '': return <Overview />
    case 'connections': return <Connections />
    case 'documents': return id === undefined ? <Documents /> : <Document key={id} id={id} />
    case 'bundles': return id === undefined ? <Bundles /> : <Bundle key={id} id={id} />
    case 'refusals': return <Refusals />
    default: return <p>There is no such page. <a href='#/'>Go to the overview</a>.</p>
  }
}

/** Which version runs, and since when. */
function Process ({ monitor: { now } }: { monitor: Monitor }) {
  const info = now?.samples.find(({ name }) => name === 'relay_info')?.labels
  const started = now && total(now, 'process_start_time_seconds')
  if (now === undefined || info === undefined || started === undefined) return null
  const [version, node] = [info['version'], String(info['node']).slice(1)]
  return <span class='muted'>{version} · Node {node} · up {duration(now.time - started * 1000)}</span>
}

/** Whether what is seen is of now. Only changes of that are told to who listens. */
function Status ({ monitor }: { monitor: Monitor }) {
  const { state, isPaused } = monitor
  const [words, setWords] = useState('')
  useEffect(() => {
    const lost = state.name === 'lost' ? state.error.message : ''
    setWords({ starting: 'Connecting', live: 'Live', paused: 'Paused', lost }[state.name])
  }, [state.name])
  return (
    <div class='status'>
      <span class={`state ${state.name}`} role='status'>{words}</span>
      <button type='button' aria-pressed={isPaused} onClick={() => { monitor.pause(!isPaused) }}>Pause</button>
    </div>
  )
}
