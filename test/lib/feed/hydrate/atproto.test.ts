import t from 'tap'
import { eventOf, type FeedEvent } from '../../../../lib/feed/event.ts'
import { AppView } from '../../../../lib/feed/hydrate/appview.ts'
import { AppViewHydrator } from '../../../../lib/feed/hydrate/appview-hydrator.ts'
import { Breaker } from '../../../../lib/feed/hydrate/breaker.ts'
import { LoggedIn, nobody, type Account } from '../../../../lib/feed/hydrate/login/credentials.ts'
import type { Hydration } from '../../../../lib/feed/hydrate/hydrator.ts'
import { Pace } from '../../../../lib/feed/hydrate/pace.ts'
import { silent } from '../../../../lib/log.ts'
import { until } from '../../../client.ts'

const { ATPROTO_PDS: PDS, ATPROTO_APPVIEW: APPVIEW } = process.env
const skip = PDS === undefined ? 'no ATPROTO_PDS: .ci/atproto run npx tap' : false
const POST = 'app.bsky.feed.post'

interface Person { did: string, accessJwt: string }
interface Ref { uri: string, cid: string }

async function call<T> (method: string, body: object, authorization?: string): Promise<T> {
  const headers = { 'content-type': 'application/json', ...authorization !== undefined && { authorization } }
  const response = await fetch(`${PDS}/xrpc/${method}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method}: ${response.status} ${text}`)
  return (text === '' ? {} : JSON.parse(text)) as T
}

const join = async (name: string): Promise<Person> => await call('com.atproto.server.createAccount', {
  handle: `${name}.test`, email: `${name}@a.test`, password: `password of ${name}`
})
const write = async ({ did, accessJwt }: Person, record: object): Promise<Ref> =>
  await call(
    'com.atproto.repo.createRecord',
    { repo: did, collection: POST, record: { $type: POST, createdAt: new Date().toISOString(), ...record } },
    `Bearer ${accessJwt}`
  )

let events = 0
const eventOfPost = ({ uri, cid }: Ref, record: object): FeedEvent => {
  const [did, collection, rkey] = uri.slice('at://'.length).split('/')
  return eventOf({
    did,
    time_us: ++events,
    kind: 'commit',
    commit: { rev: String(events), operation: 'create', collection, rkey, cid, record }
  })
}

function hydratorOf (account: Account): AppViewHydrator {
  const breaker = new Breaker()
  const appView = new AppView({
    callers: [{ account, pace: new Pace({ rate: 100 }) }],
    breaker,
    userAgent: 'fastify-automerge-relay test',
    timeout: 10_000,
    patience: 1_000,
    log: silent
  })
  return new AppViewHydrator({
    appView, breaker, references: {}, profiles: 1e6, posts: 1e6, ttl: 1, negativeTtl: 1, again: 500
  })
}

t.test('accounts of a real network: they post, quote, delete and are taken down', {
  skip, timeout: 120_000
}, async t => {
  const [anna, ben] = await Promise.all([join('anna'), join('ben')])
  const first = await write(anna!, { text: 'First' })
  const quote = {
    text: 'Look', embed: { $type: 'app.bsky.embed.record', record: first }, reply: { parent: first, root: first }
  }
  const quoting = eventOfPost(await write(ben!, quote), quote)

  const login = { identifier: 'ben.test', password: 'password of ben' }
  const accounts = {
    'without a login': nobody(APPVIEW!),
    'with a login, through the host': new LoggedIn({
      service: PDS!, login, name: 'ben', userAgent: 'test', log: silent
    })
  }
  const { signal } = new AbortController()
  for (const [name, account] of Object.entries(accounts)) {
    const hydrator = hydratorOf(account)
    t.teardown(async () => { await hydrator.close() })
    const look = async (): Promise<Hydration> => (await hydrator.hydrate([quoting], signal))[0]!
    await until(async () => !(await look()).partial)
    const { references, visibility } = await look()
    const values = references.map(({ role, text }) => [role, JSON.parse(text!)] as const)
    t.strictSame(
      values.map(([role, { did, uri }]) => [role, did ?? uri]),
      [['author', ben!.did], ['parent', first.uri], ['root', first.uri], ['quote', first.uri]],
      name
    )
    t.equal(visibility, 'public')
  }

  const hydrator = hydratorOf(accounts['without a login'])
  t.teardown(async () => { await hydrator.close() })
  const look = async (): Promise<Hydration> => (await hydrator.hydrate([quoting], signal))[0]!
  const rkey = first.uri.split('/').at(-1)
  await call('com.atproto.repo.deleteRecord', { repo: anna!.did, collection: POST, rkey }, `Bearer ${anna!.accessJwt}`)
  await until(async () => (await look()).references[1]!.text === null)
  t.equal((await look()).partial, true)

  const subject = { $type: 'com.atproto.admin.defs#repoRef', did: ben!.did }
  await call(
    'com.atproto.admin.updateSubjectStatus',
    { subject, takedown: { applied: true, ref: 'test' } },
    `Basic ${Buffer.from('admin:admin-pass').toString('base64')}`
  )
  await until(async () => (await look()).visibility !== 'public')
  t.equal((await look()).references[0]!.text, null)
})
