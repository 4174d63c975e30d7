import t, { type Test } from 'tap'
import { readdir, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { LoggedIn, nobody, type AccountOptions } from '../../../../../lib/feed/hydrate/login/credentials.ts'
import { TokenFiles } from '../../../../../lib/feed/hydrate/login/token-file.ts'
import { silent } from '../../../../../lib/log.ts'
import { scratch } from '../../../../scratch.ts'
import { StandInAppView } from '../../appview.ts'

const login = { identifier: 'relay.test', password: 'abcd-efgh-ijkl-mnop' }

async function host (t: Test, options: Partial<AccountOptions> = {}) {
  const server = await StandInAppView.start(t)
  server.password = login.password
  let now = Date.now()
  server.now = () => now
  const account = (more: Partial<AccountOptions> = {}): LoggedIn =>
    new LoggedIn({
      service: server.url,
      login,
      name: 'relay.test',
      userAgent: 'test',
      log: silent,
      now: () => now,
      ...options,
      ...more
    })
  return { server, account, pass: (seconds: number) => { now += seconds * 1_000 } }
}

t.test('without a login there is nothing to send', async t => {
  t.equal(await nobody('http://a.test').authorization(), undefined)
})

t.test('one login, however many ask', async t => {
  const { server, account } = await host(t)
  const one = account()
  const all = await Promise.all(Array.from({ length: 20 }, () => one.authorization()))
  t.equal(new Set(all).size, 1)
  t.ok(server.access.has(all[0]!.slice('Bearer '.length)))
  t.strictSame([server.logins, server.refreshes], [1, 0])
  t.strictSame(JSON.parse(server.callsOf('createSession')[0]!.body), login)
})

t.test('refreshed before it ends, and when it is refused; no login again', async t => {
  const { server, account, pass } = await host(t)
  const one = account()
  const first = await one.authorization()
  pass(3_600 - 61)
  t.equal(await one.authorization(), first)
  pass(2)
  const second = await one.authorization()
  t.not(second, first)
  one.refused(first)
  t.equal(await one.authorization(), second, 'that was an earlier one')
  one.refused(second)
  t.not(await one.authorization(), second)
  t.strictSame([server.logins, server.refreshes], [1, 2])
})

t.test('kept over a restart, where nobody else can read it', async t => {
  const folder = path.join(await scratch(t), 'tokens')
  const { server, account } = await host(t, { store: new TokenFiles(folder) })
  const first = await account().authorization()
  t.equal(await account().authorization(), first)
  t.equal(server.logins, 1)
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  const [file] = await readdir(folder)
  t.notMatch(file, /relay/)
  await writeFile(path.join(folder, file!), '{"accessJwt":')
  await account().authorization()
  t.equal(server.logins, 2, 'what cannot be read is no reason to stop')
})

t.test('a refresh token that is good no more: one login; then none for five minutes', async t => {
  const { server, account, pass } = await host(t)
  const one = account()
  await one.authorization()
  pass(400)
  server.refresh.clear()
  one.refused(await one.authorization())
  await one.authorization()
  t.equal(server.logins, 2)
  server.refresh.clear()
  one.refused(await one.authorization())
  for (let n = 0; n < 50; n++) {
    await t.rejects(one.authorization(), { name: 'LoginFailed' })
    pass(1)
  }
  t.equal(server.logins, 2)
  pass(300)
  await one.authorization()
  t.equal(server.logins, 3)
})

t.test('a wrong password is tried once', async t => {
  const { server, account, pass } = await host(t, { login: { ...login, password: 'wrong' } })
  const one = account()
  for (let n = 0; n < 10; n++) {
    await t.rejects(one.authorization(), { name: 'LoginFailed', message: n === 0 ? /401 AuthenticationRequired/ : /./ })
    pass(400)
  }
  t.equal(server.logins, 1)
})

t.test('a host that fails is asked again, not in a loop, and not for a new login', async t => {
  const { server, account, pass } = await host(t)
  const one = account()
  await one.authorization()
  server.fault = () => ({ status: 503, body: 'Service Unavailable' })
  pass(4_000)
  for (let n = 0; n < 10; n++) await t.rejects(one.authorization(), { name: 'LoginFailed' })
  t.strictSame([server.logins, server.callsOf('refreshSession').length], [1, 1])
  server.fault = () => undefined
  pass(11)
  await one.authorization()
  t.equal(server.logins, 1)
})

t.test('a session without a password ends with it', async t => {
  const { server, account } = await host(t, { login: undefined })
  const tokens = server.issue()
  const one = account({ tokens })
  t.equal(await one.authorization(), `Bearer ${tokens.accessJwt}`)
  server.refresh.clear()
  one.refused(`Bearer ${tokens.accessJwt}`)
  for (let n = 0; n < 3; n++) await t.rejects(one.authorization(), { name: 'LoginFailed' })
  t.strictSame([server.logins, server.refreshes], [0, 1])
})

t.test('tokens that tell no end are used until they are refused', async t => {
  const { account, pass } = await host(t, { login: undefined })
  for (const accessJwt of ['x', 'a.b.c', `a.${Buffer.from('{"exp":"soon"}').toString('base64url')}.c`, '']) {
    const one = account({ tokens: { accessJwt, refreshJwt: 'x' } })
    pass(1e6)
    t.equal(await one.authorization(), `Bearer ${accessJwt}`)
  }
})

t.test('secrets are in no error and in no log', async t => {
  const lines: string[] = []
  const log = (fields: object, message: string): void => {
    lines.push(message + JSON.stringify(
      fields, (key, value) => value instanceof Error ? { message: value.message, stack: value.stack } : value
    ))
  }
  const { server, account } = await host(t, { log: { debug: log, info: log, warn: log, error: log } })
  server.password = 'another'
  await account().authorization().catch((error: Error) => { lines.push(error.message, String(error.stack)) })
  t.match(lines.join(), /refused/)
  t.notMatch(lines.join('\n'), login.password)
})
