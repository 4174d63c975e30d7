import t from 'tap'
import Fastify from 'fastify'
import { parseTrustProxy } from '../../../lib/limits/trust-proxy.ts'

t.test('the address of a request behind proxies that are trusted', async t => {
  const ip = async (trusted: string | undefined, forwarded: string, remoteAddress = '10.0.0.1') => {
    const app = Fastify({ trustProxy: trusted === undefined ? false : parseTrustProxy(trusted) })
    app.get('/', async request => request.ip)
    return (await app.inject({ url: '/', remoteAddress, headers: { 'x-forwarded-for': forwarded } })).body
  }
  t.equal(await ip(undefined, '192.0.2.1'), '10.0.0.1', 'nobody is trusted')
  t.equal(await ip('1', '192.0.2.1'), '192.0.2.1')
  t.equal(await ip('1', '198.51.100.9, 192.0.2.1'), '192.0.2.1', 'what a client claims is not')
  t.equal(await ip('2', '198.51.100.9, 192.0.2.1, 10.0.0.2'), '192.0.2.1')
  t.equal(await ip('10.0.0.0/8', '198.51.100.9, 192.0.2.1, 10.0.0.2'), '192.0.2.1')
  t.equal(await ip('10.0.0.1, 2001:db8::/32', '192.0.2.1'), '192.0.2.1')
  t.equal(await ip('10.0.0.0/8', '192.0.2.1', '172.16.0.1'), '172.16.0.1', 'who is no proxy is not believed')
  t.equal(await ip('loopback', '192.0.2.1', '127.0.0.1'), '192.0.2.1')
})

t.test('what trusts everybody, or nobody that can be, is refused', async t => {
  for (const text of ['true', 'all', '0', '*', '10.0.0.0/33', '10.0.0.0/', '1.2.3', 'proxy.example', '10.0.0.1,,']) {
    t.throws(() => parseTrustProxy(text), { code: 'RELAY_BAD_OPTION', message: /^option trustProxy: / }, text)
  }
})
