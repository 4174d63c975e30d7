import t, { type Test } from 'tap'
import { AppView } from '../../../../lib/feed/hydrate/appview.ts'
import { AppViewHydrator, type AppViewHydratorParts } from '../../../../lib/feed/hydrate/appview-hydrator.ts'
import { Breaker } from '../../../../lib/feed/hydrate/breaker.ts'
import { LoggedIn, nobody, type Account } from '../../../../lib/feed/hydrate/login/credentials.ts'
import { Pace } from '../../../../lib/feed/hydrate/pace.ts'
import { eventOf, type FeedEvent } from '../../../../lib/feed/event.ts'
import type { Hydration } from '../../../../lib/feed/hydrate/hydrator.ts'
import { silent } from '../../../../lib/log.ts'
import { until } from '../../../client.ts'
import { StandInAppView, type Fault } from '../appview.ts'

const { signal } = new AbortController()
const did = (n: number | string): string => `did:plc:person${n}`
const OLD = '3jzfcijpj2z2a' // a TID of 2023
const post = (n: number | string, rkey = OLD): string => `at://${did(n)}/app.bsky.feed.post/${rkey}`

let events = 0
const commit = (author: string, record?: unknown, more: object = {}): FeedEvent => eventOf({
  did: author,
  time_us: ++events,
  kind: 'commit',
  commit: {
    rev: String(events), operation: 'create', collection: 'app.bsky.feed.post', rkey: OLD, record, cid: 'bafy', ...more
  }
})
const reply = (author: string, parent: string, root = parent): FeedEvent =>
  commit(author, { reply: { parent: { uri: parent }, root: { uri: root } } })
const account = (who: string, active: boolean): FeedEvent =>
  eventOf({ did: who, time_us: ++events, kind: 'account', account: { active, did: who, seq: events } })

interface Options extends Partial<AppViewHydratorParts> {
  rate?: number
  timeout?: number
  patience?: number
  pause?: number
  accounts?: (url: string) => Account[]
}

async function start (t: Test, options: Options = {}) {
  const server = await StandInAppView.start(t)
  const { rate = 1_000, timeout = 5_000, patience = 5_000, pause = 50, accounts = url => [nobody(url)], ...parts } =
    options
  const breaker = new Breaker({ pause })
  const callers = accounts(server.url).map(account => ({ account, pace: new Pace({ rate }) }))
  const appView = new AppView({
    callers, breaker, userAgent: 'test/1 (+mailto:a@b.test)', timeout, patience, backoff: 5, log: silent
  })
  const hydrator = new AppViewHydrator({
    appView,
    breaker,
    references: {},
    profiles: 10_000_000,
    posts: 10_000_000,
    ttl: 60_000,
    negativeTtl: 60_000,
    linger: 5,
    again: 60,
    ...parts
  })
  t.teardown(async () => { await hydrator.close() })
  return {
    server, breaker, hydrator, hydrate: async (...events: FeedEvent[]) => await hydrator.hydrate(events, signal)
  }
}

/** role → id of what the text is of; null when there is none. */
const shown = ({ references }: Hydration): string[] => references.map(({ role, text }) => {
  const json = text === null ? null : JSON.parse(text) as { did?: string, uri?: string }
  return `${role} ${json === null ? null : json.uri ?? json.did}`
})

t.test('records with what they refer to, in their order', async t => {
  const { server, hydrate } = await start(t)
  const [first, second, third] = await hydrate(commit(did(1)), reply(did(2), post(3), post(4)), account(did(1), true))
  t.strictSame(shown(first!), [`author ${did(1)}`])
  t.strictSame(shown(second!), [`author ${did(2)}`, `parent ${post(3)}`, `root ${post(4)}`])
  t.strictSame([first!.visibility, first!.partial, second!.partial], ['public', false, false])
  t.strictSame([third!.references, third!.partial], [[], false])
  t.equal(server.calls.length, 2, 'one for the profiles, one for the posts')
  t.equal(server.calls[0]!.userAgent, 'test/1 (+mailto:a@b.test)')
})

t.test('calls of 25, and one for an id however many want it', async t => {
  const { server, hydrate } = await start(t)
  const batches = await Promise.all([0, 1, 2].map(() => hydrate(
    ...Array.from({ length: 60 }, (_, n) => commit(did(n)))
  )))
  t.ok(batches.every(batch => batch.every((one, n) => shown(one)[0] === `author ${did(n)}`)))
  t.strictSame(server.calls.map(({ ids }) => ids.length).sort(), [10, 25, 25])
  await hydrate(commit(did(1)))
  t.equal(server.calls.length, 3, 'and none for what is known')
})

t.test('an answer in another order, with rows missing and rows that nobody asked for', async t => {
  const { server, hydrate } = await start(t)
  server.missing.add(did(2))
  server.fault = ({ method }) => ({
    rows: rows => method.endsWith('getProfiles')
      ? [null as never, server.profile(did(99)), ...rows.reverse(), 1 as never, { did: 7 }]
      : rows
  })
  const found = await hydrate(...Array.from({ length: 10 }, (_, n) => commit(did(n))))
  t.strictSame(
    found.map(one => shown(one)[0]), Array.from({ length: 10 }, (_, n) => n === 2 ? 'author null' : `author ${did(n)}`)
  )
  t.strictSame(found.map(({ partial }) => partial), Array.from({ length: 10 }, (_, n) => n === 2))
  t.equal(found[2]!.visibility, 'unknown')
  const [again] = await hydrate(commit(did(2)), commit(did(1)))
  t.strictSame(shown(again!), ['author null'])
})

t.test('who is missing is asked for once more, then not for a while', async t => {
  const { server, hydrate } = await start(t)
  server.missing.add(did(1)).add(post(2)).add(post(2, 'self'))
  const found = await hydrate(commit(did(1)), reply(did(3), post(2)), reply(did(3), post(2, 'self')))
  t.strictSame(found.map(({ partial }) => partial), [true, true, true])
  for (let n = 0; n < 3; n++) await hydrate(commit(did(1)), reply(did(3), post(2)))
  t.strictSame(
    [server.asked(did(1)), server.asked(post(2)), server.asked(post(2, 'self'))],
    [2, 1, 2],
    'a post of 2023 is not going to come'
  )
})

t.test('what was not indexed yet is there the second time', async t => {
  const { server, hydrate } = await start(t)
  server.missing.add(did(1))
  const hydrating = hydrate(commit(did(1)))
  await until(() => server.asked(did(1)) === 1)
  server.missing.delete(did(1))
  t.strictSame(shown((await hydrating)[0]!), [`author ${did(1)}`])
})

t.test('429, with headers and without, costs time and nothing else', async t => {
  for (const headers of [{ 'retry-after': '0.05' }, undefined] as Array<Record<string, string> | undefined>) {
    const { server, hydrate } = await start(t)
    server.fault = () => server.calls.length === 1
      ? { status: 429, headers, body: '{"error":"RateLimitExceeded"}' }
      : undefined
    const found = await hydrate(...Array.from({ length: 30 }, (_, n) => commit(did(n))))
    t.ok(found.every(({ partial }) => !partial))
    t.equal(server.calls.length, 3)
  }
})

t.test('an AppView that says 429 for ever is asked a few times; the records go on without', async t => {
  const { server, hydrate, hydrator } = await start(t)
  server.fault = () => ({ status: 429, headers: { 'retry-after': '0.01' } })
  const [record] = await hydrate(commit(did(1)))
  t.strictSame([shown(record!), record!.partial], [['author null'], true])
  t.equal(server.calls.length, 3)
  server.fault = () => undefined
  t.strictSame(
    (await hydrate(commit(did(1)))).map(({ partial }) => partial), [false], 'what was not answered is no knowledge'
  )
  t.equal(hydrator.isBroken, false)
})

t.test('who is to wait longer than there is patience for does not', async t => {
  const { server, hydrate } = await start(t, { patience: 1_000 })
  server.fault = () => ({
    status: 429, headers: { 'ratelimit-remaining': '0', 'ratelimit-reset': String(Math.ceil(Date.now() / 1_000) + 200) }
  })
  t.strictSame((await hydrate(commit(did(1)))).map(({ partial }) => partial), [true])
  t.strictSame((await hydrate(commit(did(2)))).map(({ partial }) => partial), [true])
  t.equal(server.calls.length, 1)
})

t.test('answers that are no answers', async t => {
  const faults: Record<string, Fault> = {
    500: { status: 500, body: '{"error":"InternalServerError"}' },
    'a page': { status: 502, body: '<html>Bad Gateway</html>' },
    cut: { cut: true },
    'no list': { body: '{"people":[]}' },
    'no JSON': { body: 'null' },
    empty: { body: '' },
    elsewhere: { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
    slow: { delay: 500 }
  }
  for (const [name, fault] of Object.entries(faults)) {
    const { server, hydrate, hydrator } = await start(t, { timeout: 250 })
    server.fault = () => server.calls.length === 1 ? fault : undefined
    t.strictSame((await hydrate(commit(did(1)))).map(({ partial }) => partial), [false], `once: ${name}`)
    server.fault = () => fault
    t.strictSame((await hydrate(commit(did(2)))).map(({ partial }) => partial), [true], `always: ${name}`)
    t.ok(hydrator.stats()['failures']! as number >= 3, name)
  }
})

t.test('one id that is refused costs only itself', async t => {
  const { server, hydrate } = await start(t)
  const isBad = (id: string): boolean => id === did(7) || id === did(19)
  server.fault = ({ ids }) => ids.some(isBad)
    ? { status: 400, body: '{"error":"InvalidRequest","message":"no"}' }
    : undefined
  const found = await hydrate(...Array.from({ length: 25 }, (_, n) => commit(did(n))))
  t.strictSame(found.flatMap(({ partial }, n) => partial ? [n] : []), [7, 19])
  const calls = server.calls.length
  await hydrate(commit(did(7)), commit(did(19)))
  t.equal(server.calls.length, calls)
})

t.test('an AppView that fails for a while: it is left alone, records go on, and then it is asked again', async t => {
  const { server, hydrate, hydrator } = await start(t, { pause: 300 })
  server.fault = () => ({ status: 500 })
  for (let n = 0; n < 3; n++) t.strictSame((await hydrate(commit(did(n)))).map(({ partial }) => partial), [true])
  t.equal(hydrator.isBroken, true)
  const calls = server.calls.length
  t.ok(calls <= 6, String(calls))
  const found = await hydrate(...Array.from({ length: 500 }, (_, n) => commit(did(n))))
  t.equal(found.filter(({ partial }) => partial).length, 500)
  server.fault = () => undefined
  t.ok(server.calls.length <= calls + 1, 'one tries at most')
  await until(async () => (await hydrate(commit(did('x')))).every(({ partial }) => !partial))
  t.equal(hydrator.isBroken, false)
})

t.test('what the stream tells of is what holds', async t => {
  const { server, hydrate } = await start(t, { references: {} })
  const visible = async (event: FeedEvent): Promise<unknown> => (await hydrate(event))[0]!.visibility
  t.equal(await visible(commit(did(1))), 'public')
  await hydrate(reply(did(1), post(2)))

  await hydrate(account(did(1), false))
  const [hidden] = await hydrate(commit(did(1)))
  t.strictSame([hidden!.visibility, hidden!.partial], ['hidden', true], 'an account that is gone')
  t.strictSame(
    shown((await hydrate(reply(did(3), post(1))))[0]!),
    [`author ${did(3)}`, 'parent null', 'root null'],
    'and its posts'
  )
  await hydrate(account(did(1), true))
  t.equal(await visible(commit(did(1))), 'public')
  t.equal(server.asked(did(1)), 2)

  await hydrate(commit(did(2), undefined, { operation: 'delete' }))
  t.strictSame(
    shown((await hydrate(reply(did(3), post(2))))[0]!),
    [`author ${did(3)}`, 'parent null', 'root null'],
    'a post that was deleted'
  )
  t.equal(server.asked(post(2)), 1)
  await hydrate(commit(did(2), {}))
  t.strictSame(
    shown((await hydrate(reply(did(3), post(2))))[0]!),
    [`author ${did(3)}`, `parent ${post(2)}`, `root ${post(2)}`],
    'and written anew'
  )

  server.labels.set(did(4), ['!no-unauthenticated'])
  t.equal(await visible(commit(did(4))), 'authenticated')
  server.labels.delete(did(4))
  await hydrate(commit(did(4), {}, { collection: 'app.bsky.actor.profile', rkey: 'self', operation: 'update' }))
  t.equal(await visible(commit(did(4))), 'public', 'a profile that was changed')
  await hydrate(eventOf({
    did: did(4), time_us: 1, kind: 'identity', identity: { did: did(4), handle: 'new.test', seq: 1 }
  }))
  await hydrate(commit(did(4)))
  t.equal(server.asked(did(4)), 3, 'a handle that was changed')
})

t.test('a delete while the post is being asked for', async t => {
  const { server, hydrate } = await start(t)
  server.fault = ({ method }) => method.endsWith('getPosts') ? { delay: 60 } : undefined
  const asking = hydrate(reply(did(1), post(2)))
  await until(() => server.asked(post(2)) === 1)
  await hydrate(commit(did(2), undefined, { operation: 'delete' }))
  t.strictSame(shown((await asking)[0]!).slice(1), ['parent null', 'root null'])
  t.strictSame(shown((await hydrate(reply(did(1), post(2))))[0]!).slice(1), ['parent null', 'root null'])
})

t.test('nothing is asked for what is deleted', async t => {
  const { server, hydrate } = await start(t)
  const hydrations = await hydrate(commit(did(1), undefined, { operation: 'delete' }))
  t.strictSame(hydrations.map(({ references, partial }) => [references, partial]), [[[], false]])
  t.equal(server.calls.length, 0)
})

t.test('likes only when they are wanted; an app adds its own', async t => {
  const like = commit(did(1), { subject: { uri: post(2) } }, { collection: 'app.bsky.feed.like' })
  const { hydrate } = await start(t)
  t.strictSame(shown((await hydrate(like))[0]!), [`author ${did(1)}`])
  const other = await start(t, { references: { reactions: true, more: () => [{ role: 'friend', id: did(9) }] } })
  t.strictSame(shown((await other.hydrate(like))[0]!), [`author ${did(1)}`, `subject ${post(2)}`, `friend ${did(9)}`])
})

t.test('a login: refreshed when the host says that it has ended', async t => {
  const login = { identifier: 'a.test', password: 'secret' }
  const { server, hydrate } = await start(t, {
    accounts: service => [new LoggedIn({ service, login, name: 'a', userAgent: 'test', log: silent })]
  })
  server.password = 'secret'
  t.strictSame((await hydrate(commit(did(1)))).map(({ partial }) => partial), [false])
  server.access.clear()
  t.strictSame((await hydrate(commit(did(2)))).map(({ partial }) => partial), [false])
  t.strictSame([server.logins, server.refreshes], [1, 1])
})

t.test('a list of sessions: one that has ended does not stop the others', async t => {
  const { server, hydrate } = await start(t, {
    accounts: service => ['a', 'b'].map(name => new LoggedIn({
      service, tokens: { accessJwt: name, refreshJwt: `${name}r` }, name, userAgent: 'test', log: silent
    }))
  })
  server.password = 'secret'
  server.access.add('b')
  for (let n = 0; n < 5; n++) t.strictSame((await hydrate(commit(did(n)))).map(({ partial }) => partial), [false])
  t.equal(server.refreshes, 1)
})

t.test('closing: whoever waits is let go', async t => {
  const { server, hydrator } = await start(t)
  server.fault = () => ({ delay: 60_000 })
  const abort = new AbortController()
  const [stopped, closed] = [
    hydrator.hydrate([commit(did(1))], abort.signal), hydrator.hydrate([commit(did(1))], signal)
  ]
  await until(() => server.calls.length === 1)
  abort.abort(new Error('enough'))
  await t.rejects(stopped, { message: 'enough' })
  await hydrator.close()
  t.strictSame((await closed).map(({ partial }) => partial), [true])
  await t.rejects(hydrator.hydrate([], abort.signal), { message: 'enough' })
})

t.test('rate: no more calls than we are set to', async t => {
  const { server, hydrate } = await start(t, { rate: 10 })
  const begin = performance.now()
  await hydrate(...Array.from({ length: 25 * 25 }, (_, n) => commit(did(n))))
  t.equal(server.calls.length, 25)
  t.ok(performance.now() - begin > 400, 'twenty at once, the others as they may')
})
