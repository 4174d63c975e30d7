import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { RelayOptions } from '../../app.ts'
import { Revocations } from '../../lib/access/revocations.ts'
import type { Rule } from '../../lib/access/rule.ts'
import { newDocumentId } from '../../lib/ids.ts'
import { start } from '../helper.ts'
import { issuer, seconds } from '../lib/access/identity/issuer.ts'
import { scratch } from '../scratch.ts'

const TOKEN = 'token-of-the-tunnel'

interface Answer {
  status: number
  body: { ok: boolean, result?: { id: string }, error?: { code: string, message: string } }
}

/** A relay with a tunnel, tokens for ann and bob, and signed ones. */
async function serve (t: Test, rules: Array<Partial<Rule>> | undefined, options: RelayOptions = {}) {
  const folder = await scratch(t, { 'rules.json': JSON.stringify({ rules }) })
  const signer = await issuer(t)
  const tokens =
    ['ann', 'bob'].map(name => `${name}:${createHash('sha256').update(`token-of-${name}`).digest('hex')}`).join()
  const { http } = await start(t, {
    tokens,
    jwtKeys: signer.file,
    ...(rules !== undefined && { rules: `${folder}/rules.json` }),
    tunnel: { tokens: [TOKEN] },
    ...options
  })
  const call = async (task: string, input: object, headers: Record<string, string>): Promise<Answer> => {
    const response = await fetch(`${http}/__runner/task/relay.${task}`, {
      method: 'POST', headers, body: JSON.stringify({ input })
    })
    return { status: response.status, body: await response.json() as Answer['body'] }
  }
  return { http, signer, call }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const TUNNEL = { 'x-runner-token': TOKEN }

/** `ok`, or the error's code */
async function outcome (call: Promise<Answer>): Promise<string> {
  const { body } = await call
  return body.ok ? 'ok' : body.error!.code
}

t.test('who may call what', async t => {
  const { http, signer, call } = await serve(t, [
    { principals: ['ann'], allow: ['document:read', 'document:create', 'document:write', 'bundle:create'] },
    { principals: ['prometheus'], allow: ['metrics:read'] },
    { principals: ['tunnel'], allow: ['bundle:read'] }
  ])
  const [ann, bob] = [bearer('token-of-ann'), bearer('token-of-bob')]
  const prometheus = bearer(await signer.sign({ sub: 'prometheus' }))
  const claiming = bearer(await signer.sign({ sub: 'carl', relay: [{ allow: ['document:read'] }] }))
  const { body: { result } } = await call('documents.create', {}, ann)
  const blank = await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer()
  const { id: bundle } =
    await (await fetch(`${http}/api/bundles`, { method: 'POST', headers: ann, body: blank })).json() as { id: string }
  const { id } = result!

  const callers = { ann, bob, prometheus, claiming, tunnel: TUNNEL, 'ann and the tunnel': { ...ann, ...TUNNEL } }
  const expected: Record<keyof typeof callers, string[]> = {
    ann: ['ok', 'ok', 'RELAY_BUNDLE_NOT_FOUND', 'RELAY_ACCESS_DENIED'],
    bob: ['RELAY_DOCUMENT_NOT_FOUND', 'RELAY_ACCESS_DENIED', 'RELAY_BUNDLE_NOT_FOUND', 'RELAY_ACCESS_DENIED'],
    prometheus: ['RELAY_DOCUMENT_NOT_FOUND', 'RELAY_ACCESS_DENIED', 'RELAY_BUNDLE_NOT_FOUND', 'ok'],
    claiming: ['ok', 'RELAY_ACCESS_DENIED', 'RELAY_BUNDLE_NOT_FOUND', 'RELAY_ACCESS_DENIED'],
    tunnel: ['RELAY_DOCUMENT_NOT_FOUND', 'RELAY_ACCESS_DENIED', 'ok', 'RELAY_ACCESS_DENIED'],
    'ann and the tunnel': ['ok', 'ok', 'RELAY_BUNDLE_NOT_FOUND', 'RELAY_ACCESS_DENIED']
  }
  for (const [name, headers] of Object.entries(callers)) {
    const calls = [
      call('documents.get', { id }, headers), call('documents.create', {}, headers),
      call('bundles.slim', { id: bundle }, headers), call('stats', {}, headers)
    ]
    t.strictSame(await Promise.all(calls.map(outcome)), expected[name as keyof typeof callers], name)
  }
  const [kept, missing] = [
    await call('documents.get', { id }, bob), await call('documents.get', { id: newDocumentId() }, bob)
  ]
  t.equal(kept.status, 404)
  t.equal(
    kept.body.error!.message.replace(/: .*/, ''),
    missing.body.error!.message.replace(/: .*/, ''),
    'what one may not read is what is not there'
  )
  const text = await (await fetch(`${http}/metrics`, { headers: { ...prometheus, accept: 'text/plain' } })).text()
  t.match(text, /relay_access_refused_total\{code="RELAY_ACCESS_DENIED"\} [1-9]/)
})

t.test('credentials that are not accepted, and none', async t => {
  const { signer, call } = await serve(t, [{ allow: ['metrics:read'] }])
  const stats = async (headers: Record<string, string>): Promise<unknown[]> => {
    const { status, body } = await call('stats', {}, headers)
    return [status, body.error?.code]
  }
  t.strictSame(await stats({}), [401, 'UNAUTHORIZED'])
  t.strictSame(await stats({ 'x-runner-token': 'wrong' }), [401, 'UNAUTHORIZED'])
  t.strictSame(await stats(bearer('wrong')), [401, 'RELAY_UNAUTHENTICATED'])
  t.strictSame(
    await stats({ ...bearer('wrong'), ...TUNNEL }),
    [401, 'RELAY_UNAUTHENTICATED'],
    'not even with a token of the tunnel’s'
  )
  t.strictSame(await stats(bearer(await signer.sign({ exp: seconds(-100) }))), [401, 'RELAY_TOKEN_EXPIRED'])
  t.strictSame(
    await stats(bearer(await signer.sign({ sub: 'tunnel' }))),
    [401, 'RELAY_UNAUTHENTICATED'],
    'nobody else is called tunnel'
  )
  t.strictSame(await stats(TUNNEL), [200, undefined], 'is somebody with a token')
  t.strictSame(await stats({ ...bearer('token-of-bob'), 'x-runner-token': 'wrong' }), [200, undefined], 'one is enough')
})

t.test('who is revoked, and whoever has nothing but a token of the tunnel’s when that is', async t => {
  const revocations = new Revocations()
  const { call } = await serve(
    t, [{ allow: ['metrics:read'] }, { principals: ['anonymous'], allow: ['metrics:read'] }], { revocations }
  )
  const stats = async (headers: Record<string, string>): Promise<string> => await outcome(call('stats', {}, headers))
  revocations.revoke('tunnel')
  t.equal(await stats(TUNNEL), 'RELAY_ACCESS_REVOKED')
  t.equal(await stats({ 'x-runner-token': 'wrong' }), 'UNAUTHORIZED', 'which is told to nobody else')
  t.equal(await stats({ ...bearer('token-of-ann'), ...TUNNEL }), 'ok', 'others are who they are')
  revocations.reinstate('tunnel')
  revocations.revoke('anonymous')
  t.equal(await stats(TUNNEL), 'ok', 'who has a token is not anonymous')
  const open = await serve(t, [{ principals: ['anonymous'], allow: ['metrics:read'] }], {
    tunnel: { allowAnonymous: true }, revocations
  })
  t.equal(await outcome(open.call('stats', {}, {})), 'RELAY_ACCESS_REVOKED')
  revocations.revoke('ann')
  t.equal(await stats(TUNNEL), 'ok')
  t.equal(await stats({ ...bearer('token-of-ann'), ...TUNNEL }), 'RELAY_ACCESS_REVOKED')
})

t.test('without rules everybody with a token may do what concerns documents and bundles', async t => {
  const { call } = await serve(t, undefined)
  for (const headers of [TUNNEL, bearer('token-of-ann')]) {
    t.equal(await outcome(call('documents.create', {}, headers)), 'ok')
    t.equal(await outcome(call('stats', {}, headers)), 'RELAY_ACCESS_DENIED')
  }
})

t.test('a tunnel without tokens of its own', async t => {
  const { call } = await serve(t, [{ principals: ['ann'], allow: ['metrics:read'] }], { tunnel: {} })
  t.equal(await outcome(call('stats', {}, bearer('token-of-ann'))), 'ok')
  t.equal(await outcome(call('stats', {}, {})), 'UNAUTHORIZED')
  const open = await serve(t, [{ principals: ['anonymous'], allow: ['metrics:read'] }], {
    tunnel: { allowAnonymous: true }
  })
  t.equal(await outcome(open.call('stats', {}, {})), 'ok')
  t.equal(await outcome(open.call('documents.create', {}, {})), 'RELAY_ACCESS_DENIED')
})
