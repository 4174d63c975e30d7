import t, { type Test } from 'tap'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import type { AutomergeUrl, DocHandle, Repo } from '@automerge/automerge-repo'
import { eventOf, type FeedEvent } from '../../../../lib/feed/event.ts'
import type { Rule } from '../../../../lib/feed/documents/rule.ts'
import type { Visibility } from '../../../../lib/feed/hydrate/hydrator.ts'
import { DocumentsSink, documentsThread, type DocumentsSinkOptions } from '../../../../lib/feed/sinks/documents.ts'
import type { FeedRecord } from '../../../../lib/feed/sinks/sink.ts'
import { RelayError } from '../../../../lib/errors.ts'
import { silent } from '../../../../lib/log.ts'
import type { SyncEngine } from '../../../../lib/sync/engine.ts'
import { client, until } from '../../../helper.ts'
import { scratch } from '../../../scratch.ts'
import { relayWithEngine } from '../documents/relay.ts'

interface Index { feed: string, days: Record<string, Record<string, string>> }
type Items = Record<string, Record<string, unknown>>
interface Day { feed: unknown, day: unknown, items: Items, last: number, movedTo?: unknown, notes?: string }

const HOUR = 3_600_000
const [ANNA, BEN] = ['did:plc:anna', 'did:plc:ben']
const DAY = '2026-02-17'
const AT = Date.parse(`${DAY}T11:00:00Z`) * 1_000
const uri = (did: string, rkey: string): string => `at://${did}/app.bsky.feed.post/${rkey}`
const headsOf = (document: Automerge.Doc<unknown>): string => String(Automerge.getHeads(document).sort())

/** Numbers rise, as in a feed. */
function stream () {
  let number = 0
  const record = (event: FeedEvent, visibility: Visibility = 'public'): FeedRecord => {
    const author = {
      role: 'author',
      id: event.did,
      text: JSON.stringify({ did: event.did, handle: `${event.did.slice(8)}.test`, displayName: event.did })
    }
    return {
      number: ++number,
      event,
      hydration: { references: event.commit === undefined ? [] : [author], visibility, partial: false, at: 0 }
    }
  }
  const commit = (operation: string) => (
    did: string, rkey: string, text?: string, visibility?: Visibility, at = AT
  ): FeedRecord => record(eventOf({
    did,
    time_us: at,
    kind: 'commit',
    commit: {
      rev: String(number),
      operation,
      collection: 'app.bsky.feed.post',
      rkey,
      ...text !== undefined && { record: { text } }
    }
  }), visibility)
  const account = (did: string, active: boolean, status?: string): FeedRecord =>
    record(eventOf({ did, time_us: AT, kind: 'account', account: { active, status, did, seq: number } }))
  return { create: commit('create'), update: commit('update'), remove: commit('delete'), account }
}

// one for all tests: to start them takes longer than all the rest
const root = t
const thread = documentsThread()
let running: ReturnType<typeof relayWithEngine> | undefined
t.teardown(async () => { await thread.close() })

async function start (t: Test, options: Omit<Partial<DocumentsSinkOptions>, 'host'> & {
  rule?: Partial<Rule>,
  host?: (
    engine: SyncEngine
  ) => SyncEngine
} = {}) {
  const folder = path.join(await scratch(t), 'feed', 'documents')
  const relay = await (running ??= scratch(root).then(async storage => await relayWithEngine(root, storage)))
  const { rule, host = engine => engine, ...more } = options
  const open = async (): Promise<DocumentsSink> => {
    const sink = await DocumentsSink.open({
      rules: [{ name: 'news', accounts: [ANNA, BEN], ...rule }],
      folder,
      host: host(relay.engine),
      log: silent,
      isControlled: false,
      tendEvery: 3_600_000,
      thread,
      ...more
    })
    t.teardown(async () => { await sink.close() })
    return sink
  }
  const sink = await open()
  return { ...relay, folder, sink, open, repo: client(t, relay.ws) }
}

const indexOf = async (repo: Repo, sink: DocumentsSink): Promise<DocHandle<Index>> =>
  await repo.find<Index>(sink.stats()['news.index'] as AutomergeUrl)

/** The document of a day, as the index names it. */
async function dayOf (repo: Repo, sink: DocumentsSink, part = 0, day = DAY): Promise<DocHandle<Day>> {
  const index = await indexOf(repo, sink)
  await until(() => index.doc().days?.[day]?.[part] !== undefined)
  return await repo.find<Day>(String(index.doc().days[day]![part]) as AutomergeUrl)
}

const texts = (handle: DocHandle<Day>): Record<string, string | null> =>
  Object.fromEntries(Object.entries(handle.doc().items).map(([key, item]) => [
    key, item['blank'] === true ? null : String(item['text'])
  ]))

t.test('an editor watches: what is chosen comes, is changed, and goes', async t => {
  const { sink, repo } = await start(t)
  const { create, update, remove } = stream()
  t.strictSame(
    await sink.write([
      create(ANNA!, 'a', 'Good morning'), create('did:plc:other', 'x', 'Not this one'), create(BEN!, 'b', 'Hello')
    ]),
    []
  )
  const handle = await dayOf(repo, sink)
  t.strictSame(texts(handle), { [uri(ANNA!, 'a')]: 'Good morning', [uri(BEN!, 'b')]: 'Hello' })
  t.match(handle.doc().items[uri(ANNA!, 'a')], {
    number: 1, did: { val: ANNA }, handle: { val: 'anna.test' }, time: { val: `${DAY}T11:00:00.000Z` }
  })
  t.strictSame([String(handle.doc().feed), String(handle.doc().day), handle.doc().last], ['news', DAY, 3])

  await sink.write([update(ANNA!, 'a', 'Good evening'), create(ANNA!, 'c', 'More')])
  await until(() => handle.doc().items[uri(ANNA!, 'c')] !== undefined)
  t.equal(texts(handle)[uri(ANNA!, 'a')], 'Good evening')

  handle.change(doc => {
    doc.notes = 'Ours'
    doc.items[uri(BEN!, 'b')]!['note'] = 'call him'
  })
  const begin = performance.now()
  await sink.write([remove(BEN!, 'b')])
  await until(() => texts(handle)[uri(BEN!, 'b')] === null)
  t.ok(performance.now() - begin < 10_000)
  t.strictSame(
    Object.keys(handle.doc().items[uri(BEN!, 'b')]!).sort(),
    ['blank', 'note'],
    'nothing of it is left but what its readers wrote'
  )
  t.equal(handle.doc().notes, 'Ours')
  t.equal(texts(handle)[uri(ANNA!, 'a')], 'Good evening')
})

t.test('a record that is created and deleted at once, and one that is changed to what is not chosen', async t => {
  const { sink, repo } = await start(t, { rule: { words: ['relay'] } })
  const { create, update, remove } = stream()
  await sink.write([
    create(ANNA!, 'a', 'relay'), remove(ANNA!, 'a'), create(ANNA!, 'b', 'relay'), update(ANNA!, 'b', 'another')
  ])
  const handle = await dayOf(repo, sink)
  t.strictSame(texts(handle), { [uri(ANNA!, 'a')]: null, [uri(ANNA!, 'b')]: null })
  t.ok(Object.values(handle.doc().items).every(item => Object.keys(item).length === 1))
})

t.test('an account that is taken down, comes back, and is deleted', async t => {
  const { sink, repo, open, folder } = await start(t)
  const { create, remove, account } = stream()
  await sink.write([create(ANNA!, 'a', 'A'), create(ANNA!, 'b', 'B'), create(BEN!, 'c', 'C'), remove(ANNA!, 'b')])
  const handle = await dayOf(repo, sink)
  const [a, b, c] = [uri(ANNA!, 'a'), uri(ANNA!, 'b'), uri(BEN!, 'c')]
  await sink.write([account(ANNA!, false, 'takendown')])
  await until(() => texts(handle)[a] === null)
  t.strictSame(texts(handle), { [a]: null, [b]: null, [c]: 'C' })

  await sink.close()
  const again = await open()
  await again.write([account(ANNA!, true)])
  await until(() => texts(handle)[a] === 'A')
  t.strictSame(texts(handle), { [a]: 'A', [b]: null, [c]: 'C' }, 'what was deleted stays so')

  await again.write([account(ANNA!, false, 'deleted')])
  await until(() => texts(handle)[a] === null)
  await again.write([account(ANNA!, true)])
  await again.tend()
  t.equal(texts(handle)[a], null)
  t.equal((await readdir(folder)).length, 2)
})

t.test('who may be shown', async t => {
  const { sink, repo } = await start(t)
  const { create } = stream()
  await sink.write([
    create(ANNA!, 'a', 'public'), create(BEN!, 'b', 'members', 'authenticated'), create(BEN!, 'c', 'nobody', 'hidden'),
    create(BEN!, 'd', 'who', 'unknown')
  ])
  const handle = await dayOf(repo, sink)
  t.strictSame(texts(handle), { [uri(ANNA!, 'a')]: 'public' })
  t.equal(sink.stats()['withheld'], 3)
  await sink.write([create(ANNA!, 'e', 'no more', 'authenticated')])
  await until(() => texts(handle)[uri(ANNA!, 'a')] === null)
  t.pass('who does not want it any more is taken out')
  await sink.write([create(ANNA!, 'f', 'again')])
  await until(() => texts(handle)[uri(ANNA!, 'a')] === 'public')
  await until(() => texts(handle)[uri(ANNA!, 'f')] === 'again')

  await t.rejects(
    start(t, { rule: { authenticated: true } }), { code: 'RELAY_BAD_OPTION' }, 'an open relay knows no readers'
  )
  const controlled = await start(t, { rule: { authenticated: true }, isControlled: true })
  await controlled.sink.write([create(BEN!, 'b', 'members', 'authenticated'), create(BEN!, 'c', 'nobody', 'hidden')])
  t.strictSame(
    texts(await dayOf(controlled.repo, controlled.sink)), { [uri(BEN!, 'b')]: null }, 'who is hidden meanwhile is'
  )
})

t.test('a document for each day, and more for a day with many items', async t => {
  const { sink, repo } = await start(t, { maxItems: 3 })
  const { create } = stream()
  await sink.write(Array.from({ length: 7 }, (_, n) => create(ANNA!, `p${n}`, String(n))))
  await sink.write([create(ANNA!, 'next', 'tomorrow', 'public', AT + 24 * HOUR * 1_000)])
  const counts: number[] = []
  for (const part of [0, 1, 2]) counts.push(Object.keys((await dayOf(repo, sink, part)).doc().items).length)
  t.strictSame(counts, [3, 3, 1])
  t.strictSame(Object.values(texts(await dayOf(repo, sink, 0, '2026-02-18'))), ['tomorrow'])
  t.strictSame([sink.stats()['news.documents'], sink.stats()['news.items']], [4, 8])
})

t.test('exactly once, wherever the process ends', async t => {
  // each step of the host fails once, before or after it is done, as if the process had been killed there
  for (const method of ['merge', 'apply'] as const) {
    for (const when of ['before', 'after'] as const) {
      let fails = 0
      const host = (engine: SyncEngine): SyncEngine => new Proxy(engine, {
        get: (target, name: keyof SyncEngine) => name !== method
          ? (target[name] as () => unknown).bind(target)
          : async (...args: never[]) => {
            const isHit = fails === 1
            if (fails > 0) fails--
            if (isHit && when === 'before') throw new Error('killed')
            const result = await (target[name] as (...args: never[]) => unknown).apply(target, args)
            if (isHit && when === 'after') throw new Error('killed')
            return result
          }
      })
      const { sink: first, repo, open } = await start(t, { host })
      let sink = first
      const { create, remove, update } = stream()
      const batches = [
        [create(ANNA!, 'a', 'A'), create(BEN!, 'b', 'B')],
        [create(ANNA!, 'c', 'C'), remove(BEN!, 'b')],
        [update(ANNA!, 'a', 'AA'), create(BEN!, 'd', 'D')]
      ]
      for (const [n, batch] of batches.entries()) {
        fails = n + 1
        for (let tries = 0; ; tries++) {
          try {
            await sink.write(batch)
            break
          } catch (error) {
            if (!(error instanceof Error) || error.message !== 'killed' || tries > 5) throw error
            await sink.close()
            sink = await open()
          }
        }
      }
      fails = 0
      const handle = await dayOf(repo, sink)
      const expected = {
        [uri(ANNA!, 'a')]: 'AA', [uri(BEN!, 'b')]: null, [uri(ANNA!, 'c')]: 'C', [uri(BEN!, 'd')]: 'D'
      }
      await until(() => Object.keys(handle.doc().items).length === 4)
      t.strictSame(texts(handle), expected, `${method} ${when}`)
      await sink.write(batches[2]!)
      const changes = Automerge.getAllChanges(handle.doc() as Automerge.Doc<Day>).length
      for (const batch of batches) await sink.write(batch)
      await sink.write([create(ANNA!, 'z', 'Z')])
      await until(() => texts(handle)[uri(ANNA!, 'z')] === 'Z')
      t.equal(
        Automerge.getAllChanges(handle.doc() as Automerge.Doc<Day>).length,
        changes + 1,
        'what comes again changes nothing'
      )
    }
  }
})

t.test('what a reader took out does not come back with a batch that comes again', async t => {
  const { sink, repo, open } = await start(t)
  const { create } = stream()
  const batch = [create(ANNA!, 'a', 'A'), create(ANNA!, 'b', 'B')]
  await sink.write(batch)
  const handle = await dayOf(repo, sink)
  handle.change(doc => { delete doc.items[uri(ANNA!, 'a')] })
  await until(
    async () => Object.keys((Automerge.load<Day>((await repo.export(handle.documentId))!)).items).length === 1
  )
  await sink.close()
  const again = await open()
  await again.write([...batch, create(ANNA!, 'c', 'C')])
  await until(() => texts(handle)[uri(ANNA!, 'c')] === 'C')
  t.strictSame(Object.keys(texts(handle)).sort(), [uri(ANNA!, 'b'), uri(ANNA!, 'c')])
})

t.test('made anew without what was blanked; what readers wrote comes along, also what they write ' +
  'meanwhile', async t => {
  let now = AT / 1_000
  const { sink, repo, engine, folder } = await start(t, { now: () => now })
  const { create, remove } = stream()
  await sink.write([create(ANNA!, 'a', 'A secret'), create(ANNA!, 'b', 'B secret'), create(BEN!, 'c', 'C')])
  const old = await dayOf(repo, sink)
  old.change(doc => {
    doc.notes = 'Ours'
    doc.items[uri(ANNA!, 'b')]!['note'] = 'mine'
  })
  await sink.write([remove(ANNA!, 'a'), remove(ANNA!, 'b')])
  await until(() => texts(old)[uri(ANNA!, 'b')] === null)
  const { documentId } = old
  await until(async () => String(await engine.heads(documentId as never)) === headsOf(old.doc() as Automerge.Doc<Day>))
  await sink.tend()
  t.equal(old.doc().movedTo, undefined, 'not yet')

  now += 7 * HOUR
  await sink.tend()
  await until(() => old.doc().movedTo !== undefined)
  const fresh = await repo.find<Day>(String(old.doc().movedTo) as AutomergeUrl)
  t.strictSame(texts(fresh), { [uri(ANNA!, 'b')]: null, [uri(BEN!, 'c')]: 'C' })
  t.strictSame([fresh.doc().notes, fresh.doc().items[uri(ANNA!, 'b')]], ['Ours', { blank: true, note: 'mine' }])
  const saved = Buffer.from(Automerge.save(fresh.doc() as Automerge.Doc<Day>))
  const raw =
    JSON.stringify(Automerge.getAllChanges(Automerge.load<Day>(saved)).map(change => Automerge.decodeChange(change)))
  t.notMatch(raw, /secret/, 'history remembers nothing of it')
  t.match(
    JSON.stringify(
      Automerge.getAllChanges(old.doc() as Automerge.Doc<Day>).map(change => Automerge.decodeChange(change))
    ),
    /secret/
  )
  const index = await indexOf(repo, sink)
  await until(() => String(index.doc().days[DAY]!['0']) === fresh.url)

  // an editor who has not noticed yet; what is deleted now goes in both
  old.change(doc => { doc.notes = 'Ours, and more' })
  await until(async () => String(await engine.heads(documentId as never)) === headsOf(old.doc() as Automerge.Doc<Day>))
  await sink.write([remove(BEN!, 'c'), create(BEN!, 'd', 'D')])
  await until(() => texts(old)[uri(BEN!, 'c')] === null && texts(fresh)[uri(BEN!, 'c')] === null)
  now += 2 * HOUR
  await sink.tend()
  await t.rejects(engine.heads(documentId as never), { code: 'RELAY_DOCUMENT_DELETED' })
  await until(() => fresh.doc().notes === 'Ours, and more')
  t.strictSame(texts(fresh), { [uri(ANNA!, 'b')]: null, [uri(BEN!, 'c')]: null, [uri(BEN!, 'd')]: 'D' })
  t.notOk((await readdir(folder)).includes(`${documentId}.jsonl`))
})

t.test('somebody deletes the documents: the feed goes on in new ones', async t => {
  const { sink, repo, engine } = await start(t)
  const { create, remove } = stream()
  await sink.write([create(ANNA!, 'a', 'A')])
  const handle = await dayOf(repo, sink)
  const index = await indexOf(repo, sink)
  await engine.remove(handle.documentId as never)
  await engine.remove(index.documentId as never)
  const batch = [create(ANNA!, 'b', 'B')]
  await sink.write(batch).catch(async () => { await sink.write(batch) })
  await sink.write([remove(ANNA!, 'a')])
  t.not(sink.stats()['news.index'], index.url)
  t.strictSame(Object.values(texts(await dayOf(repo, sink))), ['B'])
})

t.test('what the storage refuses comes again; what no item can be made of is refused for good', async t => {
  let isFull = true
  const host = (engine: SyncEngine): SyncEngine => new Proxy(engine, {
    get: (target, name: keyof SyncEngine) => (name === 'merge' || name === 'apply') && isFull
      ? async () => { throw new RelayError('RELAY_STORAGE_FAILED', 'disk full') }
      : (target[name] as () => unknown).bind(target)
  })
  const match = ({ event }: FeedRecord) => {
    if (event.uri.endsWith('throws')) throw new Error('a mistake')
    return event.uri.endsWith('odd') ? { '': 1 } : true
  }
  const { sink, repo } = await start(t, { host, rule: { match } })
  const { create } = stream()
  const batch = [create(ANNA!, 'throws', 'x'), create(ANNA!, 'odd', 'x'), create(ANNA!, 'a', 'A')]
  await t.rejects(sink.write(batch), { code: 'RELAY_STORAGE_FAILED' })
  await t.rejects(sink.write(batch), { code: 'RELAY_STORAGE_FAILED' })
  isFull = false
  t.strictSame((await sink.write(batch)).map(({ record, reason }) => [record.number, reason]), [
    [1, 'feed document news: a mistake'], [2, 'feed document news: an item with an empty key']
  ])
  t.strictSame(texts(await dayOf(repo, sink)), { [uri(ANNA!, 'a')]: 'A' })
})

t.test('two rules of a name', async t => {
  const { engine, folder } = await start(t)
  await t.rejects(DocumentsSink.open({
    rules: [{ name: 'a' }, { name: 'a' }], folder, host: engine, log: silent, isControlled: false, thread
  }), {
    code: 'RELAY_BAD_OPTION'
  })
})
