import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { hold } from '../storage/disk.ts'
import { client, idOf, serve, until } from './server.ts'

interface Doc { n: number }

for (const forward of ['stored', 'received'] as const) {
  t.test(`forward ${forward}: others see an edit ${forward === 'stored' ? 'once' : 'before'} it is on disk, its ` +
    'writer is answered once it is', async t => {
    const { url, documents, seen } = await serve(t, { forward })
    const [a, b] = [client(t, url), client(t, url)]
    const ours = a.repo.create<Doc>({ n: 0 })
    await until(() => seen.latencies.length > 0)
    const theirs = await b.repo.find<Doc>(ours.url)
    await until(() => documents.backlog === 0)
    let acknowledged: Automerge.Heads = []
    a.repo.synchronizer.on('sync-state', ({ syncState }) => { acknowledged = syncState.theirHeads ?? [] })

    const { held, release } = await hold(t, 'handle.write')
    ours.change(d => { d.n = 1 })
    const heads = Automerge.getHeads(ours.doc())
    await until(() => held() === 1)
    const before = seen.latencies.length
    if (forward === 'received') await until(() => theirs.doc().n === 1)
    else await new Promise(resolve => setTimeout(resolve, 300))
    t.equal(theirs.doc().n, forward === 'received' ? 1 : 0)
    t.equal(seen.latencies.length, before)
    t.notSame(acknowledged, heads)
    release()
    await until(() => theirs.doc().n === 1 && String(acknowledged) === String(heads))
    t.ok(Automerge.hasHeads(Automerge.load(Buffer.concat(await documents.chunks(idOf(ours)))), heads))
  })
}
