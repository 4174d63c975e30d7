import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { AutomergeUrl, DocHandle, Repo } from '@automerge/automerge-repo'
import t, { type Test } from 'tap'
import type { FeedOptions } from '../../lib/feed/options.ts'
import { client, start, until, type Running } from '../helper.ts'
import { StandInAppView } from '../lib/feed/appview.ts'
import { Jetstream } from '../lib/feed/jetstream.ts'
import { happen } from '../lib/feed/network.ts'
import { scratch } from '../scratch.ts'

interface Index { days: Record<string, Record<string, AutomergeUrl>> }
interface Day {
  items: Record<string, { text?: unknown, handle?: unknown, blank?: true, note?: string }>
  notes?: string
}

const POST = 'app.bsky.feed.post'
const [ANNA, BEN, CARL] = ['did:plc:anna', 'did:plc:ben', 'did:plc:carl']
const today = (): string => new Date().toISOString().slice(0, 10)

async function network (t: Test) {
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  const appView = await StandInAppView.start(t)
  const say = (did: string, text: string): { uri: string, rkey: string } => {
    const record = { $type: POST, text, createdAt: new Date().toISOString() }
    const rkey = String(happen(server, { did, collection: POST, record }).commit!['rkey'])
    return { uri: `at://${did}/${POST}/${rkey}`, rkey }
  }
  const feed: FeedOptions = { hosts: server.url, appView: appView.url, appViewRate: 1_000 }
  return { server, appView, feed, say }
}

const stats = async ({ http }: Running): Promise<any> => await (await fetch(`${http}/feed/stats`)).json()

const connected = async (relay: Running): Promise<void> =>
  await until(async () => (await stats(relay)).source.state === 'connected')

/** Today's document, by way of the index that the figures name. */
async function todays (relay: Running, repo: Repo): Promise<DocHandle<Day>> {
  const { sinks: [sink] } = await stats(relay)
  const url = sink['news.index'] as AutomergeUrl
  await until(async () => (await fetch(`${relay.http}/api/documents/${url.slice('automerge:'.length)}`)).ok)
  const index = await repo.find<Index>(url)
  await until(() => index.doc()?.days?.[today()]?.['0'] !== undefined)
  return await repo.find<Day>(String(index.doc().days[today()]!['0']) as AutomergeUrl)
}

const texts = (day: DocHandle<Day>): Array<string | null> =>
  Object.values(day.doc().items).map(({ text, blank }) => blank === true ? null : String(text)).sort()

t.test('posts of chosen accounts appear in today’s document, beside a team’s notes, and go when they are ' +
  'deleted', async t => {
  const { server, appView, feed, say } = await network(t)
  appView.labels.set(CARL!, ['!no-unauthenticated'])
  const storage = await scratch(t)
  const documentsFile = path.join(storage, 'rules.json')
  await writeFile(documentsFile, JSON.stringify([{ name: 'news', accounts: [ANNA, CARL] }]))
  const relay = await start(t, { storage, feed: { ...feed, documentsFile } })
  await connected(relay)
  const first = say(ANNA!, 'Good morning')
  say(BEN!, 'Nobody asked')
  say(CARL!, 'Not for everybody')
  const repo = client(t, relay.ws)
  const day = await todays(relay, repo)
  await until(() => day.doc().items[first.uri] !== undefined)
  t.equal(String(day.doc().items[first.uri]!.handle), 'anna.test')
  day.change(doc => {
    doc.notes = 'Ring Anna'
    doc.items[first.uri]!.note = 'for page 2'
  })
  const second = say(ANNA!, 'And more')
  await until(() => day.doc().items[second.uri] !== undefined)
  t.strictSame(texts(day), ['And more', 'Good morning'])
  happen(server, { did: ANNA!, collection: POST, operation: 'delete' }) // of another record
  server.push({
    did: ANNA!,
    time_us: Date.now() * 1000,
    kind: 'commit',
    commit: { rev: '3zz', operation: 'delete', collection: POST, rkey: first.rkey }
  })
  await until(() => day.doc().items[first.uri]!.blank === true)
  t.match(day.doc(), { notes: 'Ring Anna', items: { [first.uri]: { note: 'for page 2', text: undefined } } })
  t.match((await stats(relay)).sinks, [{
    name: 'documents', required: false, withheld: 1, 'news.items': 2, problem: null
  }])
  await relay.close()

  const third = say(ANNA!, 'While you were away')
  const again = await start(t, { storage, feed: { ...feed, documentsFile } })
  const later = await todays(again, client(t, again.ws))
  await until(() => later.doc()?.items[third.uri] !== undefined)
  t.strictSame(texts(later), ['And more', 'While you were away', null].sort())
  t.equal(later.doc().notes, 'Ring Anna')
})

t.test('a host chooses with a function, which adds fields of its own', async t => {
  const { feed, say } = await network(t)
  const match = ({ event }: { event: { did: string } }) => event.did === BEN ? { desk: 'sports' } : false
  const relay = await start(t, { feed: { ...feed, documents: [{ name: 'news', match }] } })
  await connected(relay)
  say(ANNA!, 'Not mine')
  const { uri } = say(BEN!, 'Goal')
  const day = await todays(relay, client(t, relay.ws))
  await until(() => day.doc().items[uri] !== undefined)
  t.match(day.doc().items, { [uri]: { data: { desk: { val: 'sports' } } } })
  t.strictSame(texts(day), ['Goal'])
})

t.test('calls are made as somebody, who logs in once, also over a restart', async t => {
  const { feed, say, appView } = await network(t)
  appView.password = 'app-password'
  const storage = await scratch(t)
  const options = {
    ...feed,
    appView: 'http://127.0.0.1:1',
    service: appView.url,
    identifier: 'anna.test',
    password: 'app-password',
    documents: [{ name: 'news' }]
  }
  for (const did of [ANNA!, BEN!]) {
    const relay = await start(t, { storage, feed: options })
    await connected(relay)
    const { uri } = say(did, 'Hello')
    const day = await todays(relay, client(t, relay.ws))
    await until(() => day.doc()?.items[uri] !== undefined)
    await relay.close()
  }
  t.equal(appView.logins, 1)
  t.ok(appView.callsOf('getProfiles').every(({ authorization }) => authorization?.startsWith('Bearer ') === true))
})

t.test('logins that are wrong stop the start by name, and are not repeated', async t => {
  const folder = await scratch(t, {
    'no.json': '[{"identifier":"a","password":"s3cret","passwort":"s3cret"}]', 'none.json': '[{"identifier":"a"}]'
  })
  for (const [feed, problem] of [
    [{ identifier: 'a' }, /feed\.identifier: and feed\.password go together/], [{ password: 's3cret' }, /go together/],
    [{ loginFile: '/nowhere' }, /feed\.loginFile: ENOENT/],
    [{ loginFile: `${folder}/no.json` }, /feed\.loginFile: 0\.passwort.*did you mean password/],
    [{ loginFile: `${folder}/none.json` }, /0: has neither/]
  ] as const) {
    const error = await start(t, { feed: feed as any }).then(() => undefined, error => error)
    t.match(error, { code: 'RELAY_BAD_OPTION', message: problem })
    t.notMatch(error.message, 's3cret')
  }
})

t.test('rules that are wrong stop the start by name', async t => {
  const folder = await scratch(t, { 'no.json': '{', 'odd.json': '[{"name":"a","word":["x"]}]' })
  for (const [feed, problem] of [
    [{ documents: {} }, /feed\.documents: must be a list/], [{ documents: [null] }, /feed\.documents.*name.*missing/],
    [{ documents: [{ name: 'A B' }] }, /name has a-z/],
    [{ documents: [{ name: 'a' }, { name: 'a' }] }, /two are called a/],
    [{ documents: [{ name: 'a', match: 1 }] }, /feed\.documents\.0\.match/],
    [{ documents: [{ name: 'a', accounts: ['anna.test'] }] }, /a\.accounts.*no DID/],
    [{ documents: [{ name: 'a' }], hydrate: false }, /need feed\.hydrate/],
    [{ documents: [{ name: 'a', authenticated: true }] }, /access control/],
    [{ documentsFile: '/nowhere' }, /feed\.documentsFile: ENOENT/],
    [{ documentsFile: path.join(folder, 'no.json') }, /feed\.documentsFile: is not valid JSON/],
    [{ documentsFile: path.join(folder, 'odd.json') }, /0\.word.*did you mean words/],
    [{ documents: [{ name: 'a' }], sinks: [{ name: 'documents', write () {} }] }, /"documents" must be/]
  ] as const) {
    await t.rejects(
      start(t, { feed: feed as any }).then(async () => {}),
      { code: 'RELAY_BAD_OPTION', message: problem },
      String(problem)
    )
  }
})
