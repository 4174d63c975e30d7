import { createRequire } from 'node:module'
import { connect } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { mutePeer, run, urlIn } from './executable.ts'

const { version } = createRequire(import.meta.url)('../../package.json')

t.test('help and version', async t => {
  t.match(await run(t, ['--help']).exit, { code: 0, stderr: '', stdout: /Usage: tonk-relay .*--max-upload <integer>/s })
  t.strictSame(await run(t, ['--version']).exit, { code: 0, signal: null, stderr: '', stdout: `${version}\n` })
})

t.test('without arguments it runs on 127.0.0.1:8081 and keeps its data below', async t => {
  const { stdout } = await run(t, ['--help']).exit
  t.match(stdout, /PORT, default 8081/)
  const cwd = t.testdir()
  const message = await run(t, [], { cwd, env: { PORT: '0' } }).ready() // as 8081 may be taken here
  const url = urlIn(message)
  t.match(url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/, 'a free port')
  t.equal(message.split(', ')[0], `Tonk relay ready at ${url} (WebSocket ${url.replace('http', 'ws')})`)
  t.ok(message.includes(`documents in ${path.join(cwd, 'automerge-repo-data')}`))
  t.match(await (await fetch(url)).text(), /Tonk/)
})

t.test('flags beat the environment, which beats .env', async t => {
  const folder = async (argv: string[], env: Record<string, string>) => {
    const cwd = t.testdir({ '.env': 'PORT=0\nHOST=nowhere.invalid\nRELAY_STORAGE=from-dotenv\n' })
    const running = run(t, argv, { cwd, env: { HOST: '127.0.0.1', ...env } })
    const message = await running.ready()
    running.child.kill('SIGKILL')
    return path.relative(cwd, /documents in ([^,]+)/.exec(message)![1]!)
  }
  t.equal(await folder([], {}), 'from-dotenv')
  t.equal(await folder([], { RELAY_STORAGE: 'from-env' }), 'from-env')
  t.equal(await folder(['--storage', 'from-flag'], { RELAY_STORAGE: 'from-env' }), 'from-flag')
  t.equal(await folder(['0', '--storage=from-flag'], { PORT: 'ignored' }).catch(({ message }) => message),
    'exit 1 before the ready line: tonk-relay: PORT must be integer\n',
    'though what is wrong is told even when it is beaten')
})

t.test('localhost is a host', async t => {
  const url = urlIn(await run(t, ['0'], { env: { HOST: 'localhost' } }).ready())
  t.equal((await fetch(`http://localhost:${new URL(url).port}`)).status, 200)
})

t.test('paths are taken as Tonk’s relay takes them: any case, a slash at the end', async t => {
  const url = urlIn(await run(t, ['0']).ready())
  t.equal((await fetch(`${url}/METRICS/`)).status, 200)
})

t.test('tokens and credentials stay out of the log', async t => {
  const running = run(t, ['0'])
  const url = urlIn(await running.ready())
  const headers = { authorization: 'Bearer s3cret', cookie: 'a=s3cret' }
  await fetch(`${url}/?a=1&token=s3cret&b=2`, { headers })
  await fetch(`${url}/nowhere?TOKEN=s3cret`, { headers })
  running.child.kill('SIGTERM')
  const { stdout } = await running.exit
  t.match(stdout, '"url":"/?a=1&token=[Redacted]&b=2"')
  t.notMatch(stdout, 's3cret')
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} ends it with exit code 0 whoever is connected`, async t => {
    const running = run(t, ['0'])
    const url = urlIn(await running.ready())
    await mutePeer(t, url)
    const half = connect(Number(new URL(url).port), '127.0.0.1')
    half.on('error', () => {}) // however the relay ends it
    half.write('POST /api/bundles HTTP/1.1\r\nHost: relay\r\nContent-Length: 1000\r\n\r\nhalf')
    t.teardown(() => half.destroy())
    running.child.kill(signal)
    const { code, stdout, stderr } = await running.exit
    t.equal(code, 0)
    t.equal(stderr, '')
    t.match(stdout, `closing on ${signal}`)
  })
}

t.test('a second signal ends it at once', async t => {
  const running = run(t, ['0', '--close-timeout', '60000']) // with a mute peer, far longer than it may take
  await mutePeer(t, urlIn(await running.ready()))
  running.child.kill('SIGTERM')
  running.child.stdout!.on('data', chunk => { if (String(chunk).includes('closing on')) running.child.kill('SIGTERM') })
  t.match(await running.exit, { code: 1, stdout: /second SIGTERM/ })
})

t.test('an error nobody caught is logged, and it closes and fails', async t => {
  for (const crash of ['throw new Error("on purpose")', 'Promise.reject(new Error("on purpose"))']) {
    const running = run(t, ['0'], {
      env: {
        NODE_OPTIONS: `--import "data:text/javascript,process.on('SIGWINCH', () => { ${encodeURIComponent(crash)} })"`
      }
    })
    await running.ready()
    running.child.kill('SIGWINCH')
    const { code, stdout } = await running.exit
    t.equal(code, 1)
    t.match(stdout, /"level":60.*on purpose/)
  }
})
