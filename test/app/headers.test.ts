import t from 'tap'
import { start } from '../helper.ts'
import { run, urlIn } from './executable.ts'

t.test('what browsers are told by a relay of its own, and by one in a host', async t => {
  const http = urlIn(await run(t, ['0', '--dashboard']).ready())
  for (const path of ['/', '/api/blank-tonk', '/nowhere']) {
    const { headers } = await fetch(http + path)
    t.match(headers.get('content-security-policy'), /default-src 'self'.*frame-ancestors 'none'/, path)
    t.equal(headers.get('x-content-type-options'), 'nosniff')
    t.equal(headers.get('referrer-policy'), 'no-referrer')
    t.equal(headers.get('cross-origin-resource-policy'), 'cross-origin', 'pages from elsewhere load bundles')
    t.equal(headers.get('access-control-allow-origin'), '*')
    t.equal(headers.get('strict-transport-security'), null)
  }
  const { headers } = await fetch(`${http}/dashboard`)
  t.match(
    headers.get('content-security-policy'), /^default-src 'none'.*'wasm-unsafe-eval'/, 'a page that says it itself'
  )
  const host = await fetch((await start(t)).http)
  t.equal(host.headers.get('content-security-policy'), null)
})

t.test('a proxy is believed when it is named', async t => {
  const ask = async (...flags: string[]): Promise<string> => {
    const relay = run(t, ['0', '--log-level', 'info', ...flags])
    await fetch(urlIn(await relay.ready()), { headers: { 'x-forwarded-for': '192.0.2.7' } })
    relay.child.kill('SIGTERM')
    return (await relay.exit).stdout
  }
  t.match(await ask('--trust-proxy', '1'), /"remoteAddress":"192\.0\.2\.7"/)
  t.match(await ask(), /"remoteAddress":"127\.0\.0\.1"/)
  const { code, stderr } = await run(t, ['0', '--trust-proxy', 'true']).exit
  t.strictSame([code, stderr.split('\n').length], [1, 2])
  t.match(stderr, /^tonk-relay: option trustProxy: "true" is neither/)
})
