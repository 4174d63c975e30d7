import t, { type Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { RelayOptions } from '../../app.ts'
import { silent } from '../../lib/log.ts'
import { initVault } from '../../lib/vault/init.ts'
import { openNodes } from '../../lib/vault/open.ts'
import { parseVaultOptions } from '../../lib/vault/settings.ts'
import { start } from '../helper.ts'
import { scratch } from '../scratch.ts'

const PLACES = ['one', 'two', 'three']
const ALLOWED = ['vault:read', 'vault:write', 'vault:manage', 'metrics:read'] as const
const authenticate: RelayOptions['authenticate'] = ({ token }) =>
  token === undefined ? null : { id: token, rules: [{ principals: ['*'], allow: [...ALLOWED] }] }

/** The names of the shards at a place. */
const shardsIn = async (root: string, place: string): Promise<string[]> =>
  (await readdir(path.join(root, place, 'vault', 'shards'), { recursive: true })).filter(name => name.length > 64)

/** Three folders as places, their key, and a relay with them. */
async function serve (t: Test, { hasKey = true, ...more }: { hasKey?: boolean, maxObject?: number } = {}) {
  const root = await scratch(t, Object.fromEntries(PLACES.map(id => [id, null])))
  const vault = {
    places: PLACES.map(id => ({ id, kind: 'folder' as const, path: path.join(root, id) })),
    keyFile: path.join(root, 'key'),
    segment: 64 * 1024,
    reserve: 0,
    ...more
  }
  const settings = parseVaultOptions(vault, root)
  const makeKey = async () => { await initVault(openNodes(settings), settings.keyFile, silent) }
  if (hasKey) await makeKey()
  const { http, app } = await start(t, { authenticate, vault })
  const ask = async (method: string, path: string, body?: Uint8Array<ArrayBuffer>, headers = {}) =>
    await fetch(http + path, { method, body: body ?? null, headers: { authorization: 'Bearer me', ...headers } })
  const json = async (method: string, path: string, body?: Uint8Array<ArrayBuffer>) => {
    const response = await ask(method, path, body)
    return { status: response.status, body: await response.json() as any }
  }
  return { root, http, app, ask, json, makeKey }
}

t.test('objects go in and out over HTTP, and come back when a place is wiped', async t => {
  const { root, ask, json, http } = await serve(t)
  const plain = new Uint8Array(randomBytes(200_000))
  const stored = await json('POST', '/api/vault?name=notes', plain)
  t.match(stored, { status: 201, body: { name: 'notes', kind: 'file', size: 200_000, generation: 1 } })
  const { id } = stored.body
  t.match(await json('GET', '/api/vault'), { status: 200, body: { objects: [{ id, name: 'notes' }] } })
  t.match(await json('GET', `/api/vault/${id}`), {
    status: 200, body: { id, segments: [{ number: 0, isKept: true }, {}, {}, {}] }
  })
  const content = await ask('GET', `/api/vault/${id}/content`)
  t.equal(content.headers.get('content-length'), '200000')
  t.equal(content.headers.get('x-content-type-options'), 'nosniff')
  t.ok(Buffer.from(await content.arrayBuffer()).equals(plain))
  t.equal((await ask('HEAD', `/api/vault/${id}/content`)).status, 200)

  await rm(path.join(root, 'two', 'vault', 'shards'), { recursive: true })
  t.ok(Buffer.from(await (await ask('GET', `/api/vault/${id}/content`)).arrayBuffer()).equals(plain), 'read without it')
  t.match(await json('POST', '/api/vault/scrub'), {
    status: 200, body: { missing: { length: 4 }, damaged: [], healed: { shards: 4 } }
  })
  t.equal((await shardsIn(root, 'two')).length, 4)
  t.match(await json('POST', '/api/vault/drill'), { status: 200, body: { drill: { manifest: id, bytes: 200_000 } } })
  t.match(await json('POST', `/api/vault/${id}/repair`), { status: 200, body: { objects: 1, shards: 0 } })
  t.match(await json('POST', '/api/vault/repair'), { status: 200, body: { objects: 1, shards: 0 } })
  t.match(await json('GET', '/api/nodes'), {
    status: 200, body: { nodes: PLACES.map(id => ({ id, domain: id, state: 'active' })) }
  })
  const metrics = await fetch(`${http}/metrics`, { headers: { authorization: 'Bearer me', accept: 'text/plain' } })
  t.match(await metrics.text(), /relay_vault_objects 1\n[^]*relay_vault_place_active\{place="one"\} 1/)

  t.equal((await ask('DELETE', `/api/vault/${id}`)).status, 204)
  t.match(await json('GET', `/api/vault/${id}/content`), { status: 404, body: { code: 'RELAY_VAULT_NOT_FOUND' } })
  t.match(await json('POST', '/api/vault/collect'), { status: 200, body: { removed: 0 } })
  t.match(await json('POST', '/api/vault/drill'), { status: 200, body: { drill: null } })
})

t.test('what cannot be done is refused by name, and leaves nothing', async t => {
  const { root, json } = await serve(t, { maxObject: 100_000 })
  t.match(await json('POST', '/api/vault?name=a', new Uint8Array(200_000)), {
    status: 413, body: { code: 'RELAY_VAULT_TOO_LARGE' }
  })
  t.strictSame((await Promise.all(PLACES.map(async id => await shardsIn(root, id).catch(() => [])))).flat(), [])
  t.match(await json('POST', '/api/vault', new Uint8Array(1)), { status: 400, body: { error: /name/ } })
  t.match(await json('POST', '/api/vault?name=a&kind=A%20B', new Uint8Array(1)), { status: 400 })
  t.match(await json('GET', '/api/vault/none'), { status: 400 })
  const { body: { id } } = await json('POST', '/api/vault?name=a', new Uint8Array(10))
  for (const place of PLACES) await rm(path.join(root, place, 'vault', 'shards'), { recursive: true })
  t.match(await json('GET', `/api/vault/${id}/content`), { status: 410, body: { code: 'RELAY_VAULT_LOST' } })
  await rm(path.join(root, 'one'), { recursive: true })
  t.match(await json('POST', '/api/vault?name=b', new Uint8Array(10)), {
    status: 503, body: { code: 'RELAY_VAULT_UNHAPPY' }
  })
})

t.test('a relay without the key says so, and takes it once it is there', async t => {
  const { json, makeKey } = await serve(t, { hasKey: false })
  t.match(await json('GET', '/api/vault'), { status: 200, body: { objects: [] } })
  t.match(await json('POST', '/api/vault?name=a', new Uint8Array(10)), {
    status: 503, body: { code: 'RELAY_VAULT_KEY_MISSING', error: /vault init/ }
  })
  await makeKey()
  t.match(await json('POST', '/api/vault?name=a', new Uint8Array(10)), { status: 201 })
})

t.test('an open relay shows its vault to nobody', async t => {
  const root = await scratch(t, { one: null })
  const { http } = await start(t, { vault: { places: [{ id: 'one', kind: 'folder', path: path.join(root, 'one') }] } })
  const content = `/api/vault/${'0'.repeat(64)}/content`
  for (const [method, url] of [
    ['GET', '/api/vault'], ['POST', '/api/vault?name=a'], ['GET', content], ['POST', '/api/vault/scrub']
  ] as const) {
    const response = await fetch(http + url, { method })
    t.match({ status: response.status, body: await response.json() }, {
      status: 403, body: { code: 'RELAY_ACCESS_DENIED' }
    }, `${method} ${url}`)
  }
})

t.test('options that are wrong stop the start by name', async t => {
  const places = [{ id: 'one', kind: 'folder', path: '/nowhere' }]
  for (const [vault, problem] of [
    [{}, /vault\.placesFile/], [{ placesFile: '/nowhere' }, /nowhere/], [{ places, data: 2 }, /go together/],
    [{ places, data: 200, parity: 100 }, /255/], [{ places: [...places, ...places] }, /two places one/],
    [{ place: places }, /did you mean places/],
    [{ places: [{ id: 'one', kind: 'disk' }] }, /place 1 is not/]
  ] as const) {
    await t.rejects(start(t, { vault: vault as any }).then(async () => {}), {
      code: 'RELAY_BAD_OPTION', message: problem
    })
  }
})
