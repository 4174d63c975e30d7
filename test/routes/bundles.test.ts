import t, { type Test } from 'tap'
import http from 'node:http'
import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { once } from 'node:events'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import { start } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { unzip } from '../unzip.ts'
import { zip } from '../lib/bundles/zip.ts'

async function sample (size = 100): Promise<{ id: string, bundle: Buffer }> {
  const id: string = parseAutomergeUrl(generateAutomergeUrl()).documentId
  const manifest = {
    manifestVersion: 1, version: { major: 1, minor: 0 }, rootId: id, entrypoints: [], networkUris: [], xNotes: null
  }
  const document = Automerge.save(Automerge.from({
    path_index: '{"paths":{}}', bytes: crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)))
  }))
  return {
    id,
    bundle: await zip([['manifest.json', Buffer.from(JSON.stringify(manifest, null, 2))], [
      `storage/${id.slice(0, 2)}/${id.slice(2)}/snapshot/bundle_export`, document
    ]])
  }
}

const post = (url: string, body: Uint8Array | FormData | string, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/bundles`, { method: 'POST', body, headers })

const leftIn = async (storage: string, folder: string) =>
  existsSync(path.join(storage, folder)) ? await readdir(path.join(storage, folder)) : []

t.test('an upload may be called anything, or be a form', async t => {
  const { http } = await start(t)
  const { id, bundle } = await sample()
  for (const type of ['application/octet-stream', 'application/zip', 'application/json', 'text/plain', 'x/y']) {
    t.strictSame(
      await (await post(http, bundle, { 'content-type': type })).json(),
      { id, message: 'Bundle uploaded successfully' },
      type
    )
  }
  t.equal(await untyped(http, bundle), 200, 'no type at all')
  const form = new FormData()
  form.set('note', 'before the file')
  form.set('file', new Blob([bundle]), 'a.tonk')
  t.strictSame(await (await post(http, form)).json(), { id, message: 'Bundle uploaded successfully' })
  t.strictSame(Buffer.from(await (await fetch(`${http}/api/bundles/${id}`)).arrayBuffer()), bundle)
})

/** fetch always names a type. */
async function untyped (url: string, body: Uint8Array): Promise<number | undefined> {
  const request = http.request(`${url}/api/bundles`, { method: 'POST' })
  request.end(body)
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  response.resume()
  return response.statusCode
}

t.test('a refused upload: status, reason, code, and nothing left behind', async t => {
  const { http, storage } = await start(t, { maxUpload: 50_000 })
  const before = await readdir(storage)
  const { bundle } = await sample()
  const form = new FormData()
  form.set('note', 'no file')
  const big = new FormData()
  big.set('file', new Blob([new Uint8Array(60_000)]), 'a.tonk')
  const cases: Array<[string, Promise<Response>, number, RegExp]> = [
    [
      'empty',
      post(http, new Uint8Array(0), { 'content-type': 'application/octet-stream' }),
      400,
      /^Invalid bundle data/
    ],
    ['not a ZIP', post(http, 'hello'), 400, /^Invalid bundle/],
    ['cut short', post(http, bundle.subarray(0, 200)), 400, /^Invalid bundle/],
    ['no manifest', post(http, await zip([['a', Buffer.from('x')]])), 400, /manifest.json not found/],
    ['too large', post(http, new Uint8Array(60_000)), 413, /50000/],
    ['a form without a file', post(http, form), 400, /^Invalid bundle data/],
    ['a form with too large a file', post(http, big), 413, /50000/],
    ['a form without its boundary', post(http, 'x', { 'content-type': 'multipart/form-data' }), 400, /./],
    [
      'a form cut short',
      post(http, '--b\r\ncontent-disposition: form-data; name="f"; filename="f"\r\n\r\nabc', {
        'content-type': 'multipart/form-data; boundary=b'
      }),
      400,
      /./
    ]
  ]
  for (const [name, answer, status, reason] of cases) {
    const response = await answer
    const body = await response.json() as { error: string, code: string }
    t.equal(response.status, status, `${name}: ${body.error}`)
    t.match(body.error, reason)
    t.type(body.code, 'string')
    t.match(response.headers.get('content-type'), /application\/json/)
  }
  t.strictSame(await readdir(storage), before)
  for (const folder of ['bundles', 'tmp']) t.strictSame(await leftIn(storage, folder), [], folder)
})

t.test('too large an upload is told while it is still coming', async t => {
  const { http: url } = await start(t, { maxUpload: 100_000 })
  const request = http.request(`${url}/api/bundles`, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } })
  request.on('error', () => {}) // cut off in the end
  request.write(new Uint8Array(200_000))
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  t.equal(response.statusCode, 413)
  // nobody goes on listening to the rest
  await new Promise(resolve => response.resume().on('error', () => {}).socket.on('close', resolve))
})

t.test('an upload that breaks off leaves nothing', async t => {
  const { http: url, storage, app } = await start(t)
  const request = http.request(`${url}/api/bundles`, { method: 'POST', headers: { 'content-length': 1_000_000 } })
  request.on('error', () => {}) // its own doing
  request.write(new Uint8Array(500_000))
  await new Promise<void>(resolve => {
    const look = async () => (await leftIn(storage, 'tmp')).length > 0 ? resolve() : setTimeout(look, 5)
    look()
  })
  request.destroy()
  await new Promise<void>(resolve => {
    const look = async () => (await leftIn(storage, 'tmp')).length === 0 ? resolve() : setTimeout(look, 5)
    look()
  })
  t.strictSame(await leftIn(storage, 'bundles'), [])
  t.equal((await app.inject('/')).statusCode, 200)
})

t.test('download: ETag, ranges, HEAD', async t => {
  const { http } = await start(t)
  const { id, bundle } = await sample(10_000)
  await post(http, bundle)
  for (const url of [
    `${http}/api/bundles/${id}`, `${http}/api/bundles/${id}/manifest`, `${http}/.manifest.tonk`,
    `${http}/api/blank-tonk`
  ]) {
    await ranged(t, url)
  }
  const response = await fetch(`${http}/api/bundles/${id}`)
  t.match(Object.fromEntries(response.headers), {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${id}.tonk"`,
    'cache-control': 'no-cache',
    'content-length': String(bundle.length)
  })
  t.equal((await fetch(`${http}/api/bundles/${id}/manifest`)).headers.get('content-type'), 'application/zip')

  const old = response.headers.get('etag')!
  const newer = Buffer.concat([bundle])
  await post(http, newer)
  const replaced = await fetch(`${http}/api/bundles/${id}`, { headers: { 'if-none-match': old } })
  t.equal(replaced.status, 200, 'a replaced bundle is not taken for the old one')
})

async function ranged (t: Test, url: string): Promise<void> {
  const whole = await fetch(url)
  const bytes = Buffer.from(await whole.arrayBuffer())
  const etag = whole.headers.get('etag')!
  t.match(etag, /^"[^"]+"$/, 'strong')
  const head = await fetch(url, { method: 'HEAD' })
  for (const name of ['etag', 'content-length', 'content-type', 'accept-ranges', 'content-disposition']) {
    t.equal(head.headers.get(name), whole.headers.get(name), name)
  }
  t.equal((await fetch(url, { headers: { 'if-none-match': etag } })).status, 304)
  const part = await fetch(url, { headers: { range: 'bytes=10-19' } })
  t.equal(part.status, 206)
  t.equal(part.headers.get('content-range'), `bytes 10-19/${bytes.length}`)
  t.strictSame(Buffer.from(await part.arrayBuffer()), bytes.subarray(10, 20))
  const past = await fetch(url, { headers: { range: `bytes=${bytes.length}-` } })
  t.equal(past.status, 416)
  t.equal(past.headers.get('content-range'), `bytes */${bytes.length}`)
  t.match(await past.json(), { code: 'RELAY_RANGE_NOT_SATISFIABLE' })
}

t.test('what is not there', async t => {
  const { http } = await start(t)
  const { id } = await sample()
  for (const path of [
    `/api/bundles/${id}`, `/api/bundles/${id}/manifest`, `/api/bundles/${id}?state=live`, '/api/bundles/..%2F..%2Fevil',
    '/api/bundles/x', '/tonk_core_bg.wasm'
  ]) {
    const response = await fetch(http + path)
    t.equal(response.status, 404, path)
    t.match(await response.json(), { error: /not found/ })
  }
  t.equal((await fetch(`${http}/api/bundles/${id}?state=dead`)).status, 400)
})

t.test('live: a whole bundle, and HEAD of it', async t => {
  const { http } = await start(t)
  const { id, bundle } = await sample()
  await post(http, bundle)
  const live = await fetch(`${http}/api/bundles/${id}?state=live`)
  t.equal(live.status, 200)
  t.equal(live.headers.get('cache-control'), 'no-store')
  t.strictSame([...(await unzip(new Uint8Array(await live.arrayBuffer()))).keys()], [...(await unzip(bundle)).keys()])
  t.equal((await fetch(`${http}/api/bundles/${id}?state=live`, { method: 'HEAD' })).status, 200)
})

t.test('the WASM of Tonk’s client', async t => {
  const wasm = path.join(await scratch(t), 'core.wasm')
  await writeFile(wasm, 'wasm')
  const { http } = await start(t, { wasm })
  const response = await fetch(`${http}/tonk_core_bg.wasm?t=123`, { headers: { origin: 'https://app.example' } })
  t.equal(await response.text(), 'wasm')
  t.match(Object.fromEntries(response.headers), {
    'content-type': 'application/wasm',
    'access-control-allow-origin': '*',
    'cache-control': 'no-cache',
    'content-length': '4'
  })
})
