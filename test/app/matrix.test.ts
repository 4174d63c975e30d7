import t, { type Test } from 'tap'
import { readFile } from 'node:fs/promises'
import http, { type IncomingHttpHeaders } from 'node:http'
import * as Automerge from '@automerge/automerge'
import Fastify from 'fastify'
import { WebSocket } from 'ws'
import relay, { Revocations } from '../../app.ts'
import { newDocumentId, type DocumentId } from '../../lib/ids.ts'
import { listen, until } from '../helper.ts'
import { zip } from '../lib/bundles/zip.ts'
import { Jetstream } from '../lib/feed/jetstream.ts'
import { scratch } from '../scratch.ts'
import { RawPeer } from './interop/raw-peer.ts'
import { MESSAGES, type MessageRow } from './matrix/messages.ts'
import { NAMES, RESOURCES, admit, may, refusalOf, type Name, type Resource } from './matrix/principals.ts'
import { ELSEWHERE, ROUTES, expected, type RouteRow } from './matrix/routes.ts'

interface Answer { status: number, headers: IncomingHttpHeaders, body: string }
type Ids = Record<Resource, DocumentId>

const SETS = 120 // resources that may be used up

interface Asked {
  method?: string
  headers?: Record<string, string>
  body?: Uint8Array | string | undefined
  streams?: boolean | undefined
}

async function ask (url: string, { method = 'GET', headers = {}, body, streams = false }: Asked): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers }, response => {
      const answer = { status: response.statusCode!, headers: response.headers, body: '' }
      if (streams && answer.status === 200) {
        resolve(answer)
        request.destroy()
      }
      response.setEncoding('latin1').on('data', text => { answer.body += text }).once('end', () => {
        resolve(answer)
      }).on('error', () => {})
    })
    request.once('error', reject).end(body)
  })
}

async function bundle (id: DocumentId): Promise<Buffer> {
  const manifest = { manifestVersion: 1, version: { major: 1, minor: 0 }, rootId: id, entrypoints: [], networkUris: [] }
  return await zip([['manifest.json', Buffer.from(JSON.stringify(manifest))], [
    `storage/${id.slice(0, 2)}/${id.slice(2)}/snapshot/bundle_export`, Automerge.save(Automerge.from({ a: 1 }))
  ]])
}

/** Ids of one length, so that answers about them are too. */
function newId (): DocumentId {
  for (;;) {
    const id = newDocumentId()
    if (id.length === 28) return id
  }
}

/** A relay with everything turned on, what is registered in it, and principals who know how to ask. */
async function serve (t: Test) {
  const mine = Array.from({ length: SETS }, newId)
  const { tokens, options } = await admit(t, mine)
  const revocations = new Revocations()
  revocations.revoke('revoked')
  const app = Fastify()
  const registered = new Set<string>()
  app.addHook('onRoute', ({ method, url }) => { for (const one of [method].flat()) registered.add(`${one} ${url}`) })
  const stream = await Jetstream.start()
  t.teardown(async () => { await stream.close() })
  const feed = { hosts: stream.url, hydrate: false, compatible: true }
  const vault = { places: [{ id: 'here', kind: 'folder' as const, path: await scratch(t) }] }
  app.register(relay, {
    storage: await scratch(t),
    ...options,
    revocations,
    anyPath: true,
    openapiUi: true,
    dashboard: true,
    tunnel: {},
    feed,
    vault
  })
  const { http, ws } = await listen(t, app)
  await until(() => stream.readers > 0)

  const bearer = (name: Name): Record<string, string> =>
    tokens.has(name) ? { authorization: `Bearer ${tokens.get(name)}` } : {}
  const upload = async (name: Name, id: DocumentId): Promise<void> => {
    const { status, body } = await ask(`${http}/api/bundles`, {
      method: 'POST', headers: { ...bearer(name), 'content-type': 'application/octet-stream' }, body: await bundle(id)
    })
    if (status !== 200) throw new Error(`${status} ${body}`)
  }
  const resources = async (): Promise<Ids> => {
    const ids = { mine: mine.pop()!, other: newId(), absent: newId() }
    await upload('writer', ids.mine)
    await upload('administrator', ids.other)
    return ids
  }
  const request = async (
    method: string, url: string, { path = url, type, body, streams }: Partial<RouteRow>, name: Name, id: DocumentId
  ): Promise<Answer> =>
    await ask(http + path.replace(':id', id), {
      method,
      headers: { ...bearer(name), ...type !== undefined && { 'content-type': type } },
      body: body === 'bundle' ? await bundle(id) : body,
      streams
    })
  return { ws, tokens, registered, resources, request }
}

/** An answer, but for which document it is about and when it was. */
const alike = ({ status, headers: { date, ...headers }, body }: Answer, id: string): unknown =>
  JSON.parse(JSON.stringify({ status, headers, body }).replaceAll(id, '<id>'))

const resourcesOf = ({ answer }: RouteRow): readonly Resource[] => Array.isArray(answer) ? [answer[0]] : RESOURCES

t.test('principal x action x resource, on every route', async t => {
  const { registered, resources, request } = await serve(t)
  const shared = await resources()
  for (const key of Object.keys(ROUTES)) t.ok(registered.has(key), `${key} is there`)
  for (const key of registered) {
    const [method, url] = key.split(' ') as [string, string]
    const row = ROUTES[`${method === 'HEAD' ? 'GET' : method} ${url}`]
    if (ELSEWHERE.includes(url)) continue
    if (row === undefined) {
      for (const name of ['anonymous', 'administrator'] as const) {
        t.equal(
          (await request(method, url, {}, name, shared.mine)).status,
          method === 'OPTIONS' ? 204 : 405,
          `${key} has a row in the table, or is refused`
        )
      }
      continue
    }
    for (const name of NAMES) {
      const ids = row.destroys === true ? await resources() : shared
      const answers = new Map<Resource, unknown>()
      for (const resource of resourcesOf(row)) {
        const answer = await request(method, url, row, name, ids[resource])
        const { status, code } = expected(row, name, resource)
        const isTold = method !== 'HEAD' && code !== undefined
        t.match(answer, { status, ...isTold && { body: `"code":"${code}"` } }, `${key}, ${name}, ${resource}`)
        answers.set(resource, alike(answer, ids[resource]))
      }
      if (row.of !== undefined && !may(name, `${row.of}:read`, 'other')) {
        t.strictSame(
          answers.get('other'), answers.get('absent'), `${key}, ${name}: what may not be read is as what is not there`
        )
      }
    }
  }
})

/** The status that an upgrade is answered with. */
async function upgrade (t: Test, url: string): Promise<{ status: number, code?: string }> {
  const socket = new WebSocket(url)
  t.teardown(() => { socket.terminate() })
  return await new Promise(resolve => {
    socket.once('open', () => { resolve({ status: 101 }) }).on('error', () => {})
    socket.once('unexpected-response', (_request, response) => {
      response.once('data', text => { resolve({ status: response.statusCode!, code: JSON.parse(text).code }) })
    })
  })
}

t.test('principal x message x resource, on the socket', async t => {
  const source = await readFile('lib/wire/frame.ts', 'utf8')
  const types =
    [...source.slice(source.indexOf('function decodeFrame')).matchAll(/case '([\w-]+)':/g)].map(match => match[1]!)
  const told = (await readFile('docs/protocol.md', 'utf8')).split('\n')
    .filter(line => /^\| `[^|]*\| (peer|either|passed on)/.test(line))
    .flatMap(line => [...line.split('|')[1]!.matchAll(/`([\w-]+)`/g)].map(match => match[1]!))
  t.ok(types.length > 5)
  for (const type of new Set([...types, ...told])) t.ok(type in MESSAGES, `${type} has a row in the table`)

  const { ws, tokens, resources } = await serve(t)
  const url = (name: Name): string => `${ws}/?token=${tokens.get(name) ?? ''}`
  const other = await RawPeer.join(t, url('administrator'))
  for (const name of NAMES) {
    const refusal = refusalOf(name) ?? (may(name, 'document:read') ? undefined : [403, 'RELAY_ACCESS_DENIED'] as const)
    t.strictSame(
      await upgrade(t, url(name)),
      refusal === undefined ? { status: 101 } : { status: refusal[0], code: refusal[1] },
      `a socket for ${name}`
    )
    if (refusal !== undefined) continue
    for (const [type, row] of Object.entries<MessageRow>(MESSAGES)) {
      const ids = await resources()
      const heard = new Map<Resource, unknown>()
      for (const resource of RESOURCES) {
        const id = ids[resource]
        const peer = await RawPeer.join(t, url(name))
        await other.heads(id)
        const outcome = await row.send({
          peer, id, other, token: tokens.get(name)!, foreign: tokens.get(name === 'writer' ? 'reader' : 'writer')!
        })
        const rights = {
          read: may(name, 'document:read', resource),
          write: may(name, 'document:write', resource),
          create: may(name, 'document:create', resource),
          exists: resource !== 'absent'
        }
        t.strictSame(outcome, row.expected(rights), `${type}, ${name}, ${resource}`)
        heard.set(resource, JSON.parse(JSON.stringify(peer.heard).replaceAll(id, '<id>').replaceAll(peer.id, '<peer>')))
        peer.close()
      }
      if (!may(name, 'document:read', 'other')) {
        t.strictSame(
          heard.get('other'), heard.get('absent'), `${type}, ${name}: what may not be read is as what is not there`
        )
      }
    }
  }
})
