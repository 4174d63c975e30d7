import t, { type Test } from 'tap'
import { fork } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT, exportSPKI, generateKeyPair } from 'jose'
import * as Automerge from '@automerge/automerge'
import { WebSocket } from 'ws'
import type { DocHandle } from '@automerge/automerge-repo'
import { newDocumentId } from '../../lib/ids.ts'
import { client, until } from '../helper.ts'
import { issuer, seconds } from '../lib/access/identity/issuer.ts'
import { scratch } from '../scratch.ts'
import type { Force, Outcome } from './abuse/attacks.ts'
import { run, urlIn } from './executable.ts'
import { RawPeer } from './interop/raw-peer.ts'

const ATTACKER = path.join(import.meta.dirname, 'abuse/attacker.ts')

interface Doc extends Record<string, unknown> { n: number }

/** The executable, and two honest clients who must be served whatever happens to it. */
async function besieged (t: Test, ...flags: string[]) {
  const relay = run(t, ['0', '--log-level', 'info', ...flags])
  const http = urlIn(await relay.ready())
  const url = http.replace('http', 'ws')
  const ours: DocHandle<Doc> = client(t, url).create<Doc>({ n: 0 })
  const other = client(t, url)
  let theirs: DocHandle<Doc> | undefined
  await until(async () => { // until it is there to be found
    theirs = await other.find<Doc>(ours.url).catch(() => undefined)
    return theirs !== undefined
  })
  const serves = async (): Promise<number> => {
    const n = ours.doc().n + 1
    ours.change(d => { d.n = n })
    await until(() => theirs!.doc().n === n)
    return n
  }
  const figures = async (limit: string): Promise<number> => {
    const text = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text()
    return Number(new RegExp(`^relay_limits_met_total\\{limit="${limit}"\\} (\\d+)$`, 'm').exec(text)?.[1])
  }
  /** Attacks from a process of its own, and edits all the while. */
  const attack = async (name: string, force: Force): Promise<Outcome> => {
    const attacker = fork(ATTACKER)
    t.teardown(() => { attacker.kill() })
    attacker.send({ name, target: { url, documentId: ours.documentId }, force })
    const attacked = once(attacker, 'message').then(([outcome]) => outcome as Outcome)
    let edits = 0
    do edits = await serves(); while (await Promise.race([attacked.then(() => false), sleep(10, true)]))
    t.comment(`${name}: ${edits} edits arrived meanwhile`)
    t.equal(relay.child.exitCode, null)
    return await attacked
  }
  return { attack, figures }
}

t.test('more connections than an address may have', async t => {
  const { attack, figures } = await besieged(t, '--limits-connections-per-address', '50')
  const outcome = await attack('connections', { count: 1_000, ms: 120_000 })
  t.strictSame([outcome['opened'], outcome['status 429']], [48, 952], 'the honest two are the others')
  t.equal(await figures('connectionsPerAddress'), 952)
})

t.test('more attempts than an address may make', async t => {
  const { attack, figures } = await besieged(t, '--limits-requests-per-minute', '200')
  const outcome = await attack('connections', { count: 1_000, ms: 120_000 })
  t.ok(outcome['status 429']! > 200, `${outcome['status 429']} of 1000 refused`) // it may take more than a minute
  t.equal(await figures('requestsPerMinute'), outcome['status 429'])
})

t.test('handshakes that never end', async t => {
  const { attack } = await besieged(t)
  const outcome = await attack('slow handshakes', { count: 200, ms: 40_000 })
  t.equal(outcome['closed'], 200)
})

t.test('frames of 64 MiB that mean nothing', async t => {
  const { attack } = await besieged(t)
  t.match(await attack('large frames', { count: 3, ms: 60_000 }), { sent: 3, RELAY_FRAME_INVALID: 3 })
  const small = await besieged(t, '--max-frame', '1000000')
  t.match(await small.attack('large frames', { count: 3, ms: 60_000 }), { sent: 3 })
})

t.test('random bytes', async t => {
  const { attack } = await besieged(t)
  const outcome = await attack('random bytes', { count: 200, ms: 60_000 })
  const closed = Object.entries(outcome).filter(([what]) => what.startsWith('RELAY_FRAME_'))
    .reduce((sum, [, times]) => sum + times, 0)
  t.equal(closed, 200)
})

t.test('a flood of ephemeral messages', async t => {
  const { attack, figures } = await besieged(t, '--limits-ephemeral-rate', '10', '--limits-message-rate', '2000')
  const { sent } = await attack('ephemeral messages', { count: 5_000, ms: 30_000 })
  t.equal(sent, 5_000)
  await until(async () => await figures('ephemeralRate') > 4_000)
})

t.test('requests for documents that nobody has', async t => {
  const { attack, figures } = await besieged(t, '--limits-documents-per-connection', '100')
  await attack('document requests', { count: 5_000, ms: 30_000 })
  t.equal(await figures('documentsPerConnection'), 4_900)
})

t.test('changes that inflate to a thousand times as much', async t => {
  const { attack, figures } = await besieged(t, '--limits-byte-rate', '1000000')
  const outcome = await attack('decompression bombs', { count: 8, ms: 10_000 })
  t.ok(outcome['RELAY_SYNC_INVALID']! >= 1, 'twenty in one message are more than a message may hold')
  t.ok(await figures('byteRate') >= 1, 'and one counts as what it inflates to')
})

t.test('requests over HTTP, with ids that are paths', async t => {
  const { attack, figures } = await besieged(t, '--limits-requests-per-minute', '500')
  const outcome = await attack('HTTP requests', { count: 2_000, ms: 30_000 })
  t.ok(outcome['status 429']! >= 1_400)
  t.ok(await figures('requestsPerMinute') >= 1_400)
  t.strictSame(
    Object.keys(outcome).filter(what => !['status 200', 'status 404', 'status 429', 'status 400'].includes(what)), []
  )
})

t.test('tokens that are none, in every place one can be shown', async t => {
  const { file, keys, sign } = await issuer(t)
  const stranger = await generateKeyPair('ES256')
  const relay = run(t, ['0', '--jwt-keys', file])
  const http = urlIn(await relay.ready())
  const claims = { sub: 'ann', exp: seconds(3600) }
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const secret = await exportSPKI(keys.publicKey)
  const confused = `${part({ alg: 'HS256', kid: 'one' })}.${part(claims)}`
  const tokens: Record<string, string> = {
    'signed with none': `${part({ alg: 'none' })}.${part(claims)}.`,
    'by another key': await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one' })
      .sign(stranger.privateKey),
    'with the public key as secret': `${confused}.${createHmac('sha256', secret).update(confused).digest('base64url')}`,
    expired: await sign({ exp: seconds(-3600) }),
    changed: (await sign()).replace(/\.[^.]+\./, `.${part({ ...claims, sub: 'root' })}.`),
    nonsense: 'nonsense'
  }
  const status = async (
    url: string, protocols: string[], headers: Record<string, string>
  ): Promise<number> => await new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws'), protocols, { headers })
    socket.on('unexpected-response', (request, response) => {
      request.destroy()
      resolve(response.statusCode!)
    })
    socket.on('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.on('error', reject)
  })
  const everywhere = async (token: string): Promise<number[]> => [
    await status(http, [], { authorization: `Bearer ${token}` }),
    await status(http, ['automerge-relay', `bearer.${token}`], {}),
    await status(`${http}/?token=${encodeURIComponent(token)}`, [], {}),
    (await fetch(`${http}/.manifest.tonk`, { headers: { authorization: `Bearer ${token}` } })).status
  ]
  for (const [name, token] of Object.entries(tokens)) t.strictSame(await everywhere(token), [401, 401, 401, 401], name)
  t.strictSame(await everywhere(await sign()), [101, 101, 101, 200], 'a good one')
  t.equal(await status(http, [], {}), 401, 'none at all')
})

t.test('read-only peers that write, beside one who may', async t => {
  const rules = {
    'rules.json': JSON.stringify({
      rules: [{ allow: ['document:read', 'document:write', 'document:create'] }, {
        principals: ['anonymous'], allow: ['document:read']
      }]
    })
  }
  const folder = await scratch(t, rules)
  const relay = run(t, ['0', '--rules', `${folder}/rules.json`])
  const url = urlIn(await relay.ready()).replace('http', 'ws')
  const doc = Automerge.from<Doc>({ n: 1 })
  const writers = await Promise.all(Array.from({ length: 20 }, () => RawPeer.join(t, url)))
  const id = newDocumentId()
  for (const writer of writers) {
    writer.send({ type: 'access' })
    await writer.next('access')
    for (let n = 0; n < 20; n++) {
      writer.sync(id, { heads: Automerge.getHeads(doc), changes: Automerge.getAllChanges(doc) })
    }
    t.match(await writer.next('access'), { code: 'RELAY_ACCESS_DENIED', documentId: id })
  }
  t.strictSame(await (await RawPeer.join(t, url)).heads(id), [])
})
