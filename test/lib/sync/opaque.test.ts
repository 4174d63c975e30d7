import t from 'tap'
import { writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import type { AutomergeUrl } from '@automerge/automerge-repo'
import { newDocumentId } from '../../../lib/ids.ts'
import { scratch } from '../../scratch.ts'
import { client, serve, until } from './server.ts'

type Doc = Record<string, unknown>

/** Stores bytes as another relay would have. */
async function store (folder: string, id: string, bytes: Uint8Array): Promise<void> {
  const place = path.join(folder, id.slice(0, 2), id.slice(2), 'snapshot')
  await mkdir(place, { recursive: true })
  writeFileSync(path.join(place, 'made-elsewhere'), bytes)
}

t.test('a stored document with what the relay takes from no peer is served and synced by Automerge', async t => {
  const folder = await scratch(t)
  const id = newDocumentId()
  // a table, as old clients made them: nobody makes one any more
  const op = { action: 'makeTable', obj: '_root', key: 'table', pred: [] }
  const change = Automerge.encodeChange(
    { actor: 'aa'.repeat(16), seq: 1, startOp: 1, deps: [], time: 0, message: null, ops: [op] } as never
  )
  await store(folder, id, change)
  const { url, seen, documents } = await serve(t, { folder })
  const url_ = `automerge:${id}` as AutomergeUrl
  const [a, b] = [client(t, url), client(t, url)]
  const ours = await a.repo.find<Doc>(url_)
  const theirs = await b.repo.find<Doc>(url_)
  ours.change(d => { d['n'] = 1 })
  await until(() => theirs.doc()['n'] === 1)
  theirs.change(d => { d['n'] = 2 })
  await until(() => ours.doc()['n'] === 2)
  await until(async () => Automerge.hasHeads(
    Automerge.load(Buffer.concat(await documents.chunks(id))), Automerge.getHeads(ours.doc())
  ))
  t.ok(seen.fallbacks.length > 0)
  t.strictSame(seen.refused, [])
})
