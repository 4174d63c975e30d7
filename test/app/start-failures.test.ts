import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import t, { type Test } from 'tap'
import { run, urlIn, type Surroundings } from './executable.ts'

/** Starts with these and expects exit 1 and one line on stderr. */
async function refuses (
  t: Test, name: string, argv: string[], message: RegExp, surroundings?: Surroundings
): Promise<void> {
  await t.test(name, async t => {
    const running = run(t, argv, surroundings)
    // it should not start; the rejection is the exit looked at here
    running.ready().then(() => running.child.kill(), () => {})
    const { code, stderr } = await running.exit
    t.equal(code, 1)
    t.match(stderr, message)
    t.match(stderr, /^tonk-relay: [^\n]+\n$/, 'one line')
  })
}

t.test('what it cannot start with, it names in one line', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo

  await refuses(t, 'a port in use', [String(port)], new RegExp(`cannot listen on 127.0.0.1 port ${port}: .*EADDRINUSE`))
  await refuses(t, 'a port that is no number', ['http'], /--port must be integer/)
  await refuses(t, 'a port that is none', ['65536'], /--port must be <= 65535/)
  await refuses(t, 'a host that does not resolve', ['0', '--host', 'nowhere.invalid'], /nowhere\.invalid/)
  await refuses(t, 'a host that is another machine', ['0', '--host', '192.0.2.1'], /192\.0\.2\.1.*EADDRNOTAVAIL/)
  await refuses(t, 'an unknown flag', ['--prot', '8100'], /Unknown option '--prot', did you mean --port\?/)
  await refuses(t, 'a variable of access control that is ' +
    'misspelt', ['0'], /variable RELAY_JWT_KEY: unknown name, did you mean RELAY_JWT_KEYS\?/,
  { env: { RELAY_JWT_KEY: 'keys.json' } })
  await refuses(t, 'one in a .env', ['0'], /variable RELAY_TOKEN: unknown name, did you mean RELAY_TOKENS\?/, {
    cwd: t.testdir({ '.env': 'RELAY_TOKEN=ann:0' })
  })
  await refuses(
    t, 'a rule with a misspelt member', ['0', '--rules', 'rules'],
    /rules\.0\.document: unknown name, did you mean documents\?/,
    { cwd: t.testdir({ rules: '{ "rules": [{ "allow": ["document:read"], "document": [] }] }' }) }
  )
  await refuses(
    t, 'an action that is none', ['0', '--rules', 'rules'],
    /rules\.0\.allow\.0: must be one of document:read, .*; did you mean document:write\?/,
    { cwd: t.testdir({ rules: '{ "rules": [{ "allow": ["document:writ"] }] }' }) }
  )
  await refuses(t, 'a bad option', ['0', '--max-upload', '1MB'], /--max-upload must be integer/)
  await refuses(t, 'a bad variable', ['0'], /RELAY_MAX_UPLOAD must be >= 1/, { env: { RELAY_MAX_UPLOAD: '0' } })
  await refuses(t, 'options that exclude each other', ['0', '--bundles', 'b', '--s3-bucket', 'c'], /bundles/)
  await refuses(
    t, 'a bucket that cannot be had', ['0', '--s3-bucket', 'gone', '--s3-endpoint', 'http://127.0.0.1:1'],
    /bucket gone at http:\/\/127\.0\.0\.1:1.*ECONNREFUSED/,
    { env: { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' } }
  )
  await refuses(t, 'a missing bundle', ['0', 'gone/app.tonk'], /not found.*gone\/app\.tonk|gone\/app\.tonk.*not found/)
  await refuses(t, 'a folder as bundle', ['0', 'folder'], /folder/, { cwd: t.testdir({ folder: {} }) })
  await refuses(t, 'a bundle that is none', ['0', 'bad.tonk'], /bad\.tonk/, {
    cwd: t.testdir({ 'bad.tonk': 'not a ZIP' })
  })
  await refuses(t, 'a file as storage folder', ['0', '--storage', 'file'], /storage \S*file: /, {
    cwd: t.testdir({ file: '' })
  })
  await refuses(t, 'a .env that is no .env', ['0'], /\.env: line 2 is not NAME=value/, {
    cwd: t.testdir({ '.env': 'HOST=::1\nport 8100' })
  })
  await refuses(t, 'a .env that cannot be read', ['0'], /\.env: EISDIR/, { cwd: t.testdir({ '.env': {} }) })
})

t.test('with LOG_LEVEL=debug a failed start shows where it came from', async t => {
  const { code, stderr } = await run(t, ['0', '--host', 'nowhere.invalid'], { env: { LOG_LEVEL: 'debug' } }).exit
  t.equal(code, 1)
  t.match(stderr, /^tonk-relay: RelayError: .*\n[^]*\[cause\]: Error: getaddrinfo ENOTFOUND/)
})

t.test('a port in use leaves the storage folder alone', async t => {
  const folder = t.testdir({ first: {}, second: {} })
  const { port } = new URL(urlIn(await run(t, ['0'], { cwd: path.join(folder, 'first') }).ready()))
  t.equal((await run(t, [port], { cwd: path.join(folder, 'second') }).exit).code, 1)
  t.strictSame(readdirSync(path.join(folder, 'second')), [])
})
