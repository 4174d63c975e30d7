import t, { type Test } from 'tap'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { Jwt, type JwtOptions } from '../../../../lib/access/identity/jwt.ts'
import { silent } from '../../../../lib/log.ts'
import { scratch } from '../../../scratch.ts'
import { until } from '../../../helper.ts'
import { issuer, seconds } from './issuer.ts'

function jwt (t: Test, options: Partial<JwtOptions> & { jwtKeys: string }) {
  const jwt = new Jwt({ jwtTolerance: 30_000, ...options }, silent)
  t.teardown(() => { jwt.close() })
  return async (token: string) => await jwt.authenticate({ token, headers: {}, url: '/', ip: '127.0.0.1' })
}

const REFUSED = { code: 'RELAY_UNAUTHENTICATED' }

for (const alg of ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519']) {
  t.test(`${alg}: what its key has signed, and nothing else`, async t => {
    const [ours, other] = [await issuer(t, alg), await issuer(t, alg)]
    const check = jwt(t, { jwtKeys: ours.file })
    const exp = seconds(60)
    t.match(await check(await ours.sign({ exp, team: 'a' })), {
      id: 'ann', expires: exp * 1000 + 30_000, claims: { team: 'a' }
    })
    await t.rejects(check(await other.sign()), REFUSED)
    const [head, body, signature] = (await ours.sign()).split('.')
    await t.rejects(check(`${head}.${body}.`), REFUSED)
    const forged = Buffer.from(JSON.stringify({ sub: 'root', exp })).toString('base64url')
    await t.rejects(check(`${head}.${forged}.${signature}`), REFUSED)
    t.equal(await check('not-a-jwt'), null, 'is for another authenticator')
  })
}

t.test('HS256 with a secret of enough bytes', async t => {
  const secret = Buffer.alloc(32, 7)
  const keys = (k: Buffer) => JSON.stringify({ keys: [{ kty: 'oct', k: k.toString('base64url') }] })
  const folder = await scratch(t, { good: keys(secret), short: keys(Buffer.alloc(16, 7)) })
  const check = jwt(t, { jwtKeys: `${folder}/good` })
  const sign = async (key: Buffer, alg = 'HS256') =>
    await new SignJWT({ sub: 'ann', exp: seconds(60) }).setProtectedHeader({ alg }).sign(key)
  t.match(await check(await sign(secret)), { id: 'ann' })
  await t.rejects(check(await sign(Buffer.alloc(32, 8))), REFUSED)
  await t.rejects(check(await sign(Buffer.concat([secret, secret]), 'HS512')), REFUSED)
  t.throws(() => jwt(t, { jwtKeys: `${folder}/short` }), { code: 'RELAY_BAD_OPTION', message: /jwtKeys: .*too short/ })
})

t.test('a public key (PEM) after a byte order mark or a comment; it has no name, whatever the token ' +
  'calls it', async t => {
  const { keys, sign } = await issuer(t, 'RS256')
  const pem = await exportSPKI(keys.publicKey)
  const folder = await scratch(t, { marked: `\uFEFF${pem}`, commented: `# the key of our issuer\n${pem}` })
  for (const name of ['marked', 'commented']) {
    t.match(await jwt(t, { jwtKeys: `${folder}/${name}` })(await sign({})), { id: 'ann' }, name)
  }
})

t.test('`none`, another algorithm than the key’s, and a public key used as a secret', async t => {
  const { file, keys } = await issuer(t, 'RS256')
  const pem = await exportSPKI(keys.publicKey)
  const folder = await scratch(t, { 'key.pem': pem })
  for (const check of [jwt(t, { jwtKeys: file }), jwt(t, { jwtKeys: `${folder}/key.pem` })]) {
    const claims = { sub: 'ann', exp: seconds(60) }
    const [, body] = new UnsecuredJWT(claims).encode().split('.')
    for (const alg of ['none', 'NONE', 'nOnE']) {
      await t.rejects(check(`${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${body}.`), REFUSED)
    }
    for (const secret of [pem, pem.trim(), await readFile(file, 'utf8')]) {
      await t.rejects(
        check(await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret))), REFUSED
      )
    }
    t.match(await check(await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(keys.privateKey)), {
      id: 'ann'
    })
  }
  const other = await generateKeyPair('PS256', { extractable: true })
  const own = await scratch(t, {
    'keys.json': JSON.stringify({ keys: [{ ...await exportJWK(other.publicKey), alg: 'RS256' }] })
  })
  const token = await new SignJWT({ sub: 'ann', exp: seconds(60) }).setProtectedHeader({ alg: 'PS256' })
    .sign(other.privateKey)
  await t.rejects(jwt(t, { jwtKeys: `${own}/keys.json` })(token), REFUSED, 'the key is for RS256')
})

t.test('times, issuer, audience and names', async t => {
  const { file, sign } = await issuer(t)
  const check = jwt(t, { jwtKeys: file, jwtIssuer: 'us', jwtAudience: 'relay' })
  const good = { iss: 'us', aud: ['other', 'relay'] }
  t.match(await check(await sign(good)), { id: 'ann' })
  t.match(await check(await sign({ ...good, exp: seconds(-20) })), { id: 'ann' }, 'within the tolerance')
  await t.rejects(check(await sign({ ...good, exp: seconds(-40) })), { code: 'RELAY_TOKEN_EXPIRED' })
  t.match(await check(await sign({ ...good, nbf: seconds(20) })), { id: 'ann' })
  for (const wrong of [
    { nbf: seconds(60) }, { iss: 'them' }, { aud: 'other' }, { aud: undefined }, { exp: undefined }, { sub: undefined },
    { sub: '' }, { sub: 'anonymous' }, { sub: '*' }, { sub: 'x'.repeat(257) }, { sub: 'Rene\u0301' }, { sub: ' ann' },
    { relay: 'all' }, { relay: [{ allow: ['everything'] }] }
  ]) {
    await t.rejects(check(await sign({ ...good, ...wrong } as never)), REFUSED, JSON.stringify(wrong).slice(0, 60))
  }
})

t.test('a claim with rules speaks for its holder alone', async t => {
  const { file, sign } = await issuer(t)
  const principal = await jwt(t, { jwtKeys: file })(await sign({
    relay: [{ principals: ['bob', '*'], allow: ['document:read'] }]
  }))
  t.strictSame(principal?.rules, [{ principals: ['ann'], allow: ['document:read'] }])
})

t.test('a file of keys that changes counts at once; one that breaks changes nothing', async t => {
  const [old, young] = [await issuer(t), await issuer(t)]
  const check = jwt(t, { jwtKeys: old.file })
  t.ok(await check(await old.sign()))
  await writeFile(old.file, await readFile(young.file))
  const token = await young.sign()
  await until(() => check(token).then(Boolean, () => false))
  await t.rejects(check(await old.sign()), REFUSED)
  await writeFile(old.file, 'nonsense')
  await new Promise(resolve => setTimeout(resolve, 1_500))
  t.ok(await check(token))
})

t.test('keys without names while they are exchanged', async t => {
  const [a, b] = [await generateKeyPair('ES256', { extractable: true }), await generateKeyPair('ES256', {
    extractable: true
  })]
  const folder = await scratch(t, {
    keys: JSON.stringify({ keys: [await exportJWK(a.publicKey), await exportJWK(b.publicKey)] })
  })
  const check = jwt(t, { jwtKeys: `${folder}/keys` })
  for (const { privateKey } of [a, b]) {
    t.ok(await check(
      await new SignJWT({ sub: 'ann', exp: seconds(60) }).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
    ))
  }
})

t.test('keys by URL that were fetched before the clock was set back do not count as fresh until it is there ' +
  'again', async t => {
  const { file, sign } = await issuer(t)
  const young = await issuer(t)
  let asked = 0
  const server = createServer((_request, response) => {
    readFile(asked++ === 0 ? file : young.file).then(keys => { response.end(keys) })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const check = jwt(t, { jwtKeys: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` })
  const claims = { exp: seconds(7_200) }
  t.match(await check(await sign(claims)), { id: 'ann' })
  const tokens = [await sign(claims), await young.sign(claims)] as const
  const { now } = Date
  t.intercept(Date, 'now', { value: () => now() - 3_600_000 })
  await t.rejects(check(tokens[0]), REFUSED, 'it has been taken off the list')
  t.match(await check(tokens[1]), { id: 'ann' })
  t.equal(asked, 2)
})

t.test('keys by URL: from this machine or by TLS; when they cannot be had it says so', async t => {
  const { file, sign } = await issuer(t)
  let status = 200
  const server = createServer((_request, response) => {
    readFile(file).then(keys => { response.writeHead(status).end(keys) })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => { server.close() })
  const jwtKeys = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  t.match(await jwt(t, { jwtKeys })(await sign()), { id: 'ann' })
  await t.rejects(jwt(t, { jwtKeys })(await (await issuer(t)).sign()), REFUSED)
  status = 500
  await t.rejects(jwt(t, { jwtKeys })(await sign()), { code: 'RELAY_KEYS_UNAVAILABLE', statusCode: 503 })
  server.close()
  server.closeAllConnections()
  await t.rejects(jwt(t, { jwtKeys })(await sign()), { code: 'RELAY_KEYS_UNAVAILABLE' })
  t.throws(() => jwt(t, { jwtKeys: 'http://example.org/keys' }), { code: 'RELAY_BAD_OPTION', message: /https/ })
  t.throws(() => jwt(t, { jwtKeys: '/nowhere' }), { code: 'RELAY_BAD_OPTION', message: /jwtKeys: \/nowhere/ })
})
