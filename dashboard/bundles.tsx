import type { ListedBundle } from '../lib/bundles/stores/store.ts'
import type { Manifest } from '../lib/bundles/file/manifest.ts'
import type { Listing } from '../lib/dashboard/dashboard.ts'
import { bytes, count, date } from './format.ts'
import { useData } from './monitor.ts'
import { usePages } from './pages.ts'
import { Facts, Id, Pager, Problem, Table } from './parts.tsx'

const LIMIT = 50

/** As JSON has it. */
interface BundleRow extends Omit<ListedBundle, 'modified'> { modified: string }

export function Bundles () {
  const { after, number, back, nextAfter } = usePages()
  const query = new URLSearchParams({ limit: String(LIMIT), ...after !== undefined && { after } })
  const { answer, error } = useData<Listing<BundleRow> | { list: null, isMore: false }>(
    `dashboard/data/bundles?${query}`, 5_000
  )
  if (answer?.list === null) {
    return (
      <p>
        The store that this relay’s host has given it does not tell what it holds. A bundle whose id is known is
        at <code>#/bundles/&lt;id&gt;</code>.
      </p>
    )
  }
  const last = answer?.list.at(-1)
  return (
    <>
      <Problem error={error} />
      <Table<BundleRow>
        caption='Stored bundles, by id'
        keyOf={({ id }) => id}
        rows={answer?.list}
        empty='None has been uploaded.'
        columns={[
          { name: 'Bundle', cell: ({ id }) => <a href={`#/bundles/${id}`}><Id>{id}</Id></a> },
          { name: 'Size', isNumber: true, cell: ({ size }) => bytes(size) },
          { name: 'Stored', cell: ({ modified }) => date(Date.parse(modified)) }
        ]}
      />
      <Pager
        label='Pages of bundles'
        text={`page ${number}`}
        back={back}
        next={answer?.isMore === true && last !== undefined ? nextAfter(last.id) : undefined}
      />
    </>
  )
}

interface Details extends BundleRow { etag: string, owner?: string, manifest: Manifest, documents: string[] }

const SHOWN = 500 // documents

/** What is in a bundle, as it was uploaded. */
export function Bundle ({ id }: { id: string }) {
  const { answer, error } = useData<Details>(`dashboard/data/bundles/${id}`, 10_000)
  if (answer === undefined) return <Problem error={error} />
  const { size, modified, owner, etag, manifest, documents } = answer
  const ids = [manifest.rootId as string, ...documents.filter(one => one !== manifest.rootId)]
  return (
    <>
      <p class='crumb'><a href='#/bundles'>Bundles</a> / <Id>{id}</Id></p>
      <Problem error={error} />
      <Facts facts={[
        ['Size', bytes(size)],
        ['Stored', date(Date.parse(modified))],
        ['Owner', owner ?? 'nobody’s'],
        ['Version', `${manifest.version.major}.${manifest.version.minor}`],
        ['Entry points', manifest.entrypoints.join(', ') || 'none'],
        ['Networks', manifest.networkUris.join(', ') || 'none'],
        ['ETag', <code key='etag' class='id'>{etag}</code>]
      ]}
      />
      <Table<string>
        caption={documents.length > SHOWN
          ? `The first ${SHOWN} of ${count(documents.length)} documents in it`
          : 'Documents in it'}
        keyOf={one => one}
        rows={ids.slice(0, SHOWN)}
        empty='None.'
        columns={[
          { name: 'Document', cell: one => <a href={`#/documents/${one}`}><Id>{one}</Id></a> },
          { name: 'Is', cell: one => one === manifest.rootId ? 'the root' : 'part of it' }
        ]}
      />
    </>
  )
}
