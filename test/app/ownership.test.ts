import t, { type Test } from 'tap'
import { writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import * as Automerge from '@automerge/automerge'
import { newDocumentId, type DocumentId } from '../../lib/ids.ts'
import { client, start, until, urlOf } from '../helper.ts'
import { zip } from '../lib/bundles/zip.ts'
import { scratch } from '../scratch.ts'

const tokens = ['ann', 'bob', 'root'].map(name => `${name}:${createHash('sha256').update(name).digest('hex')}`)
  .join(',')
const DOCUMENTS = ['document:read', 'document:write', 'document:create']
const BUNDLES = ['bundle:read', 'bundle:create', 'bundle:replace', 'bundle:delete']

async function bundle (rootId: DocumentId, others: DocumentId[] = [], note = 0): Promise<Buffer> {
  const manifest = {
    manifestVersion: 1, version: { major: 1, minor: 0 }, rootId, entrypoints: [], networkUris: [], note
  }
  const documents = [rootId, ...others].map(id => [
    `storage/${id.slice(0, 2)}/${id.slice(2)}/snapshot/bundle_export`, Automerge.save(Automerge.from({ note }))
  ] as const)
  return await zip([['manifest.json', Buffer.from(JSON.stringify(manifest))], ...documents])
}

const as = (name: string, headers: Record<string, string> = {}) => ({ authorization: `Bearer ${name}`, ...headers })

const post = async (
  http: string, body: Uint8Array, headers: Record<string, string>, query = ''
): Promise<{ status: number, code?: string }> => {
  const response = await fetch(`${http}/api/bundles${query}`, {
    method: 'POST', body, headers: { 'content-type': 'application/octet-stream', ...headers }
  })
  return { status: response.status, ...await response.json() as object }
}

const rulesFile = async (t: Test, rules: object[]): Promise<string> =>
  `${await scratch(t, { 'rules.json': JSON.stringify({ rules }) })}/rules.json`

t.test('a bundle is its creator’s, also after a restart; nobody else replaces it but an administrator', async t => {
  const rules = await rulesFile(t, [{ allow: [...DOCUMENTS, ...BUNDLES] }, {
    principals: ['root'], allow: ['administer']
  }])
  const first = await start(t, { tokens, rules })
  const id = newDocumentId()
  t.match(await post(first.http, await bundle(id), as('ann')), { status: 200, id })
  t.match(await post(first.http, await bundle(id, [], 1), as('bob')), {
    status: 403, code: 'RELAY_ACCESS_DENIED', error: /not yours/
  })
  await first.close()
  const { http } = await start(t, { tokens, rules, storage: first.storage })
  t.match(await post(http, await bundle(id, [], 2), as('bob')), { status: 403 })
  t.match(await post(http, await bundle(id, [], 3), as('ann')), { status: 200 })
  t.match(await post(http, await bundle(id, [], 4), as('root')), { status: 200 })
  t.match(await post(http, await bundle(id, [], 5), as('ann')), { status: 200 }, 'still its creator’s')
})

t.test('a bundle does not bring what its sender may not write', async t => {
  const id = newDocumentId()
  const guarded = newDocumentId()
  const rules = await rulesFile(t, [
    { principals: ['ann'], allow: [...DOCUMENTS, ...BUNDLES] },
    { principals: ['bob'], allow: BUNDLES }, { principals: ['bob'], allow: ['document:read'], documents: [guarded] }
  ])
  const { http } = await start(t, { tokens, rules })
  t.match(await post(http, await bundle(guarded), as('ann')), { status: 200 })
  t.match(await post(http, await bundle(id, [guarded], 1), as('bob')), { status: 403, error: /document:write/ })
  t.equal((await fetch(`${http}/api/bundles/${id}`, { headers: as('bob') })).status, 404, 'nothing is left of it')
  t.match(await post(http, await bundle(id), as('bob')), { status: 200 })
})

t.test('If-None-Match: * makes, If-Match replaces; in an open relay too', async t => {
  for (const [options, headers] of [[{ tokens }, as('ann')], [{}, {}]] as const) {
    const { http } = await start(t, options)
    const id = newDocumentId()
    const etag = async () =>
      (await fetch(`${http}/api/bundles/${id}`, { method: 'HEAD', headers })).headers.get('etag')!
    const refused = { status: 412, code: 'RELAY_PRECONDITION_FAILED' }
    t.match(await post(http, await bundle(id), { ...headers, 'if-match': '*' }), refused)
    t.match(await post(http, await bundle(id), { ...headers, 'if-none-match': '*' }), { status: 200 })
    t.match(await post(http, await bundle(id), { ...headers, 'if-none-match': '*' }), refused)
    const first = await etag()
    t.match(await post(http, await bundle(id), { ...headers, 'if-match': '"other"' }), refused)
    t.match(await post(http, await bundle(id, [], 1), { ...headers, 'if-match': `"other", ${first}` }), { status: 200 })
    t.match(await post(http, await bundle(id), { ...headers, 'if-match': first }), refused)
    const two = await Promise.all([2, 3].map(async n => await post(http, await bundle(id, [], n), {
      ...headers, 'if-match': await etag()
    })))
    t.strictSame(two.map(({ status }) => status).sort(), [200, 412], 'of two at once, one')
    t.match(
      await post(http, await bundle(id, [], 4), { ...headers, 'if-match': `W/${await etag()}` }),
      { status: 200 },
      'as a proxy that compresses gives it'
    )
    const version = (await etag()).slice(1, -1)
    t.match(await post(http, await bundle(id, [], 5), headers, '?ifMatch=other'), refused)
    t.match(await post(http, await bundle(id, [], 5), headers, `?ifMatch=${version}`), { status: 200 }, 'in the query')
    t.match(await post(http, await bundle(id, [], 6), headers, `?ifMatch=${version}`), refused)
    for (const query of ['?ifMatch=', '?ifMatch=a&ifMatch=b', '?ifMatch=%22a%22']) {
      t.match(
        await post(http, await bundle(id, [], 6), headers, query), { status: 400, code: 'RELAY_BAD_REQUEST' }, query
      )
    }
  }
})

t.test('documents by the bundle that holds them; rules count as soon as they are written', async t => {
  const [id, inside, outside] = [newDocumentId(), newDocumentId(), newDocumentId()]
  const forAnn = { principals: ['ann'], allow: [...DOCUMENTS, ...BUNDLES] }
  const forBob = { principals: ['bob'], allow: ['document:read', 'bundle:read'], bundles: [id] }
  const rules = await rulesFile(t, [forAnn, forBob])
  const { http, ws } = await start(t, { tokens, rules })
  t.match(await post(http, await bundle(id, [inside], 7), as('ann')), { status: 200 })
  t.match(await post(http, await bundle(outside), as('ann')), { status: 200 })
  const bob = client(t, `${ws}/?token=bob`)
  const handle = await bob.find<{ note: number }>(urlOf(inside))
  t.strictSame(handle.doc(), { note: 7 })
  await t.rejects(bob.find(urlOf(outside)), /unavailable/)
  t.equal((await fetch(`${http}/api/bundles/${id}`, { headers: as('bob') })).status, 200)
  t.strictSame(await (await fetch(`${http}/api/bundles/${outside}`, { headers: as('bob') })).json(), {
    error: `Bundle not found: ${outside}`, code: 'RELAY_BUNDLE_NOT_FOUND'
  })
  await writeFile(rules, JSON.stringify({ rules: [forAnn, { ...forBob, bundles: [outside] }] }))
  await until(async () => (await fetch(`${http}/api/bundles/${id}`, { headers: as('bob') })).status === 404)
  const ann = client(t, `${ws}/?token=ann`)
  const theirs = await ann.find<{ note: number }>(urlOf(inside))
  theirs.change(doc => { doc.note = 8 })
  const other = bob.handles[outside as never]!
  await until(() => other.isReady())
  t.strictSame(handle.doc(), { note: 7 }, 'the live connection hears no more of it')
  await writeFile(rules, '{ "rules": [ nonsense')
  t.equal(
    (await fetch(`${http}/api/bundles/${outside}`, { headers: as('bob') })).status,
    200,
    'what cannot be read changes nothing'
  )
})

t.test('a bundle is deleted by who owns it, as the version that was looked at, and never in an open relay', async t => {
  const rules = await rulesFile(t, [{ allow: [...DOCUMENTS, ...BUNDLES] }, {
    principals: ['root'], allow: ['administer']
  }])
  const { http } = await start(t, { tokens, rules })
  const remove = async (url: string, headers: Record<string, string>): Promise<number> =>
    (await fetch(url, { method: 'DELETE', headers })).status
  const id = newDocumentId()
  const url = `${http}/api/bundles/${id}`
  t.equal(await remove(url, as('ann')), 404)
  await post(http, await bundle(id), as('ann'))
  t.equal(await remove(url, as('bob')), 403)
  t.equal(await remove(url, as('ann', { 'if-match': '"other"' })), 412)
  t.equal(await remove(`${url}?ifMatch=other`, as('ann')), 412)
  const { headers } = await fetch(url, { headers: as('ann') })
  t.equal(await remove(`${url}?ifMatch=${headers.get('etag')!.slice(1, -1)}`, as('ann')), 204)
  t.equal((await fetch(url, { headers: as('ann') })).status, 404)
  t.equal((await fetch(`${url}/manifest`, { headers: as('ann') })).status, 404)
  t.match(await post(http, await bundle(id, [], 1), as('bob')), { status: 200 }, 'and is whose who makes it anew')
  t.equal(await remove(url, as('ann')), 403)
  t.equal(await remove(url, as('root')), 204)
  const open = await start(t)
  await post(open.http, await bundle(id), {})
  t.equal(await remove(`${open.http}/api/bundles/${id}`, {}), 403)
})

t.test('who has no token is let in where rules speak of it', async t => {
  const { http } = await start(t, {
    tokens, rules: await rulesFile(t, [{ principals: ['anonymous'], allow: ['bundle:read'] }])
  })
  t.equal((await fetch(`${http}/api/bundles/${newDocumentId()}`)).status, 404)
  t.equal((await fetch(`${http}/.manifest.tonk`)).status, 200)
  t.equal((await fetch(`${http}/metrics`)).status, 403)
  t.equal((await fetch(`${http}/.manifest.tonk`, { headers: as('wrong') })).status, 401)
  t.equal((await fetch(`${http}/.manifest.tonk`, { headers: as('ann') })).status, 403)
})
