import t, { type Test } from 'tap'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import * as Automerge from '@automerge/automerge'
import { newDocumentId } from '../../lib/ids.ts'
import { start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'

const JSON_TYPE = 'application/json'
const BYTES = 'application/octet-stream'
const MERGE = 'application/merge-patch+json'
const PATCH = 'application/json-patch+json'

interface Answer { status: number, headers: Headers, json: any, bytes: Buffer }

async function ask (
  url: string, method = 'GET', { type, body, ...headers }: Record<string, string | Uint8Array> = {}
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...headers as Record<string, string>, ...type !== undefined && { 'content-type': type as string } },
    ...body !== undefined && { body }
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && bytes.length > 0 && response.status !== 206
  return {
    status: response.status, headers: response.headers, bytes, json: isJson ? JSON.parse(bytes.toString()) : undefined
  }
}

async function created (
  t: Test, http: string, content: object
): Promise<{ id: string, url: string, etag: string, heads: string[] }> {
  const { status, headers, json } = await ask(`${http}/api/documents`, 'POST', {
    type: JSON_TYPE, body: JSON.stringify(content)
  })
  t.equal(status, 201)
  return {
    id: json.id, url: `${http}/api/documents/${json.id as string}`, etag: headers.get('etag')!, heads: json.heads
  }
}

/** The events of a document, as they come. */
async function listen (t: Test, url: string, headers: Record<string, string> = {}) {
  const gone = new AbortController()
  t.teardown(() => { gone.abort() })
  const response = await fetch(url, { headers, signal: gone.signal })
  t.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const events: Array<{ event: string, id?: string, data: any }> = []
  const state = { ended: false }
  const read = async () => {
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop()!
      for (const part of parts.filter(part => !part.startsWith(':'))) {
        const fields = Object.fromEntries(part.split('\n').map(line => [
          line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)
        ]))
        events.push({ ...fields, data: JSON.parse(fields['data']!) } as typeof events[number])
      }
    }
    state.ended = true
  }
  read().catch(() => {}) // aborted in the end
  return { events, state, close: () => { gone.abort() } }
}

t.test('made of JSON: read, changed, told, below a prefix', async t => {
  const { http } = await start(t, { prefix: '/sync' })
  const { status, headers, json } = await ask(`${http}/sync/api/documents?message=begun`, 'POST', {
    type: 'application/json; charset=utf-8', body: '{"title":"Hello","list":[1]}'
  })
  t.equal(status, 201)
  t.equal(headers.get('location'), `documents/${json.id as string}`)
  t.match(json, { url: `automerge:${json.id as string}`, heads: [/^[0-9a-f]{64}$/] })
  const url = new URL(headers.get('location')!, `${http}/sync/api/documents`).href
  t.equal(url, `${http}/sync/api/documents/${json.id as string}`)
  const first = await ask(url)
  t.strictSame(first.json, { title: 'Hello', list: [1] })
  t.equal(first.headers.get('etag'), `"${json.heads[0] as string}"`)
  t.equal(first.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal((await ask(url, 'GET', { 'if-none-match': first.headers.get('etag')! })).status, 304)
  const head = await ask(url, 'HEAD')
  t.match([head.status, head.headers.get('etag'), head.bytes.length], [200, first.headers.get('etag'), 0])

  const merged = await ask(`${url}?message=${encodeURIComponent('greeted the world')}`, 'PATCH', {
    type: MERGE, body: '{"title":"Hello world","list":null}'
  })
  t.equal(merged.status, 200)
  const patched = await ask(url, 'PATCH', {
    type: PATCH,
    body: '[{"op":"test","path":"/title","value":"Hello world"},{"op":"add","path":"/n","value":1}]',
    'if-match': merged.headers.get('etag')!
  })
  t.equal(patched.status, 200)
  const now = await ask(url)
  t.strictSame(now.json, { n: 1, title: 'Hello world' })
  t.equal(now.headers.get('etag'), patched.headers.get('etag'))
  t.strictSame((await ask(`${url}/heads`)).json, patched.json)

  const old = await ask(`${url}?heads=${json.heads[0] as string}`)
  t.strictSame(old.json, first.json, 'as it was')
  t.equal(old.headers.get('etag'), first.headers.get('etag'))

  const { json: history } = await ask(`${url}/history?limit=2`)
  t.match(history, {
    heads: patched.json.heads,
    total: 3,
    changes: [{ message: null, deps: merged.json.heads, seq: 2 }, {
      message: 'greeted the world', seq: 1, time: /^20\d\d-.*Z$/
    }]
  })
  t.equal(history.changes[0].actor, history.changes[1].actor, 'one actor for all that is changed here')
  const { json: rest } = await ask(new URL(history.next, `${url}/history`).href)
  t.match(rest, { total: 3, next: null, changes: [{ hash: json.heads[0], message: 'begun', deps: [] }] })
  t.equal((await ask(`${url}/history?heads=${json.heads[0] as string}`)).json.total, 1)
})

t.test('made of Automerge’s bytes; the snapshot in parts', async t => {
  const { http } = await start(t)
  const body = Automerge.save(Automerge.from({ text: 'x'.repeat(1_000) }))
  const { status, json } = await ask(`${http}/api/documents`, 'POST', { type: BYTES, body })
  t.equal(status, 201)
  const url = `${http}/api/documents/${json.id as string}/snapshot`
  const whole = await ask(url)
  t.strictSame(Automerge.getHeads(Automerge.load(whole.bytes)), json.heads)
  t.match(Object.fromEntries(whole.headers), {
    'content-type': BYTES,
    'accept-ranges': 'bytes',
    'content-disposition': `attachment; filename="${json.id as string}.automerge"`
  })
  const etag = whole.headers.get('etag')!
  const part = await ask(url, 'GET', { range: 'bytes=4-9', 'if-range': etag })
  t.equal(part.status, 206)
  t.same(part.bytes, whole.bytes.subarray(4, 10))
  for (const known of [etag, `"x", W/${etag}`]) {
    const answer = await ask(url, 'GET', { 'if-none-match': known })
    t.match([answer.status, answer.headers.get('etag')], [304, etag])
  }
  const etags = new Set<string | null>()
  for (const path of ['', '/heads', '/history', '/history?limit=1', '/snapshot']) {
    etags.add((await ask(`${http}/api/documents/${json.id as string}${path}`)).headers.get('etag'))
  }
  t.equal(etags.size, 5, 'another ETag for each representation')
  t.equal((await ask(url, 'GET', { 'if-none-match': `"${json.heads[0] as string}"` })).status, 200)
})

t.test('conditions: whoever comes late is told, and nothing is lost', async t => {
  const { http } = await start(t)
  const { url, etag } = await created(t, http, { n: 0 })
  const put = (n: number, headers: Record<string, string> = {}) =>
    ask(url, 'PATCH', { type: MERGE, body: JSON.stringify({ [`n${n}`]: n }), ...headers })
  const both = await Promise.all([1, 2, 3].map(n => put(n, { 'if-match': etag })))
  t.strictSame(both.map(({ status }) => status).sort(), [200, 412, 412])
  for (const { status, json } of both) if (status === 412) t.equal(json.code, 'RELAY_PRECONDITION_FAILED')
  const all = await Promise.all(Array.from({ length: 20 }, (_, n) => put(n + 10)))
  t.ok(all.every(({ status }) => status === 200))
  const now = await ask(url)
  for (let n = 10; n < 30; n++) t.equal(now.json[`n${n}`], n)
  t.equal((await put(4, { 'if-match': '*' })).status, 200)
  for (const header of [{ 'if-match': 'garbage' } as Record<string, string>, { 'if-match': '""' }, {
    'if-none-match': '*'
  }]) {
    t.equal((await put(5, header)).status, 412, JSON.stringify(header))
  }
  t.equal((await put(5, { 'if-match': `W/${etag}` })).status, 412, 'weak, and old')
  t.equal(
    (await put(6, { 'if-match': `W/${(await ask(url)).headers.get('etag')!}` })).status,
    200,
    'as it comes through a proxy that compresses'
  )
  t.equal(
    (await ask(`${url}?heads=${etag.slice(1, -1)}`, 'PATCH', {
      type: PATCH,
      body: '[{"op":"test","path":"",' +
      '"value":{"n":0}},{"op":"add","path":"/late","value":1}]'
    })).status,
    200,
    'on what it was'
  )
  t.match((await ask(url)).json, { late: 1, n4: 4, n29: 29 })
  const same = await ask(url)
  const nothing = await ask(url, 'PATCH', { type: MERGE, body: '{"n":0}' })
  t.match(
    [nothing.status, nothing.headers.get('etag')], [200, same.headers.get('etag')], 'what shows so already is no change'
  )
})

t.test('heads as a condition in the query, for who gets no ETags', async t => {
  const { http } = await start(t, { tokens: `ann:${createHash('sha256').update('ann').digest('hex')}` })
  const ann = { authorization: 'Bearer ann' }
  const { json: { id, heads } } = await ask(`${http}/api/documents`, 'POST', {
    type: JSON_TYPE, body: '{"n":0}', ...ann
  })
  const url = `${http}/api/documents/${id as string}`
  const patch = (ifMatch: string, n: number) =>
    ask(`${url}?ifMatch=${ifMatch}`, 'PATCH', { type: MERGE, body: `{"n":${n}}`, ...ann })
  const other = '0'.repeat(64)
  for (const text of [other, `${heads[0] as string}.${other}`, `sha256-${other}`]) {
    t.match(await patch(text, 1), { status: 412, json: { code: 'RELAY_PRECONDITION_FAILED' } })
  }
  for (const text of ['', '*', 'abc', `sha256-${'A'.repeat(64)}`]) {
    t.match(await patch(text, 1), { status: 400, json: { code: 'FST_ERR_VALIDATION' } }, text)
  }
  const patched = await patch(heads[0], 1)
  t.equal(patched.status, 200)
  t.equal((await patch(heads[0], 2)).status, 412)
  const now = patched.json.heads[0] as string
  t.match(
    await ask(`${url}?ifMatch=${now}&heads=${heads[0] as string}`, 'PATCH', { type: MERGE, body: '{"m":1}', ...ann }),
    { status: 200 },
    'beside what it was thought up on'
  )
})

t.test('many heads have a short name, which is understood wherever heads are', async t => {
  const { http } = await start(t)
  const base = Automerge.from<Record<string, unknown>>({ base: 1 })
  const branches = Array.from({ length: 300 }, (_, n) => Automerge.change(Automerge.clone(base), doc => {
    doc[`n${n}`] = n
  }))
  const merged = branches.reduce((all, one) => Automerge.merge(all, one))
  const made = await ask(`${http}/api/documents`, 'POST', { type: BYTES, body: Automerge.save(merged) })
  const url = `${http}/api/documents/${made.json.id as string}`
  const heads = Automerge.getHeads(merged).sort()
  t.equal(heads.length, 300)
  const name = `sha256-${createHash('sha256').update(heads.join('.')).digest('hex')}`
  t.equal(made.headers.get('etag'), `"${name}"`)
  for (const path of ['', '/heads', '/history?limit=1', '/snapshot']) {
    const answer = await ask(url + path)
    const etag = answer.headers.get('etag')!
    t.ok(etag.startsWith(`"${name}`) && etag.length < 200, etag)
    t.equal((await ask(url + path, 'GET', { 'if-none-match': etag })).status, 304, path)
  }
  const history = await ask(`${url}/history?limit=1`)
  t.strictSame(history.json.heads, heads, 'listed in the body')
  t.equal((await ask(new URL(history.json.next as string, `${url}/history`).href)).status, 200, 'the next page')

  const events = await listen(t, `${url}/events`)
  await until(() => events.events.length === 1)
  t.match(events.events[0], { id: name, data: { heads } })
  t.equal((await ask(`${url}?ifMatch=${name}&heads=${name}`, 'PATCH', { type: MERGE, body: '{"base":2}' })).status, 200)
  t.equal((await ask(`${url}?ifMatch=${name}`, 'PATCH', { type: MERGE, body: '{"base":3}' })).status, 412)
  t.match((await ask(`${url}?heads=${name}`)).json, { base: 1, n299: 299 }, 'as it was')
  const again = await listen(t, `${url}/events`, { 'last-event-id': name })
  await until(() => again.events.length === 2)
  t.match(again.events[1], { event: 'patches', data: { patch: [{ op: 'replace', path: '/base', value: 2 }] } })

  const unknown = `sha256-${'0'.repeat(64)}`
  for (const path of [`?heads=${unknown}`, `/history?heads=${unknown}`]) {
    t.match(await ask(url + path), { status: 404, json: { code: 'RELAY_HEADS_UNKNOWN' } })
  }
  t.match(await ask(`${url}?heads=${unknown}`, 'PATCH', { type: MERGE, body: '{}' }), {
    status: 404, json: { code: 'RELAY_HEADS_UNKNOWN' }
  })
  const stranger = await listen(t, `${url}/events?heads=${unknown}`)
  await until(() => stranger.events.length === 1)
  t.match(stranger.events[0], { event: 'heads', id: /^[0-9a-f]{64}$/ })
})

t.test('what is refused, each with its reason', async t => {
  const { http } = await start(t, { maxDocument: 20_000 })
  const { url } = await created(t, http, { text: 'abc', list: [1] })
  const documents = `${http}/api/documents`
  const deep = '['.repeat(600) + ']'.repeat(600)
  const big = JSON.stringify({ x: 'x'.repeat(30_000) })
  const cases: Array<[number, string, string, string, Record<string, string | Uint8Array>?]> = [
    [404, 'RELAY_DOCUMENT_NOT_FOUND', `${documents}/${newDocumentId()}`, 'GET'],
    [404, 'RELAY_DOCUMENT_NOT_FOUND', `${documents}/..%2f..%2fetc`, 'GET'],
    [404, 'RELAY_DOCUMENT_NOT_FOUND', `${documents}/${'a'.repeat(90)}`, 'GET'],
    [404, 'RELAY_DOCUMENT_NOT_FOUND', `${documents}/${newDocumentId()}/snapshot`, 'GET'],
    [404, 'RELAY_DOCUMENT_NOT_FOUND', `${documents}/${newDocumentId()}/events`, 'GET'],
    [404, 'RELAY_DOCUMENT_NOT_FOUND', `${documents}/${newDocumentId()}`, 'PATCH', { type: MERGE, body: '{}' }],
    [400, 'RELAY_BAD_REQUEST', `${url}?heads=`, 'GET'],
    [400, 'RELAY_BAD_REQUEST', `${url}?heads=${'A'.repeat(64)}`, 'GET'],
    [404, 'RELAY_HEADS_UNKNOWN', `${url}?heads=${'0'.repeat(64)}`, 'GET'],
    [404, 'RELAY_HEADS_UNKNOWN', `${url}?heads=${'0'.repeat(64)}`, 'PATCH', { type: MERGE, body: '{}' }],
    [404, 'RELAY_HEADS_UNKNOWN', `${url}/history?heads=${'0'.repeat(64)}`, 'GET'],
    [400, 'RELAY_BAD_REQUEST', `${url}/events?heads=x`, 'GET'],
    [400, 'FST_ERR_VALIDATION', `${url}/history?limit=0`, 'GET'],
    [400, 'FST_ERR_VALIDATION', `${url}/history?offset=-1`, 'GET'],
    [415, 'RELAY_MEDIA_TYPE_UNSUPPORTED', url, 'PATCH', { type: JSON_TYPE, body: '{}' }],
    [415, 'RELAY_MEDIA_TYPE_UNSUPPORTED', url, 'PATCH', { type: 'text/plain', body: '{}' }],
    [415, 'RELAY_MEDIA_TYPE_UNSUPPORTED', documents, 'POST', { type: MERGE, body: '{}' }],
    [415, 'RELAY_MEDIA_TYPE_UNSUPPORTED', documents, 'POST', { body: new Uint8Array(3) }],
    [415, 'RELAY_MEDIA_TYPE_UNSUPPORTED', documents, 'POST'],
    [400, 'RELAY_BAD_REQUEST', documents, 'POST', { type: JSON_TYPE, body: '' }],
    [400, 'RELAY_BAD_REQUEST', documents, 'POST', { type: JSON_TYPE, body: '{"a":' }],
    [422, 'RELAY_PATCH_INVALID', documents, 'POST', { type: JSON_TYPE, body: '[]' }],
    [422, 'RELAY_PATCH_INVALID', documents, 'POST', { type: JSON_TYPE, body: `{"a":${deep}}` }],
    [422, 'RELAY_PATCH_INVALID', documents, 'POST', { type: JSON_TYPE, body: '{"__proto__":{"a":1}}' }],
    [413, 'FST_ERR_CTP_BODY_TOO_LARGE', documents, 'POST', { type: JSON_TYPE, body: big }],
    [400, 'RELAY_DOCUMENT_INVALID', documents, 'POST', { type: BYTES, body: new Uint8Array([1, 2, 3]) }],
    [400, 'RELAY_DOCUMENT_INVALID', documents, 'POST', { type: BYTES, body: Automerge.save(Automerge.init()) }],
    [400, 'RELAY_DOCUMENT_INVALID', documents, 'POST', { type: BYTES, body: new Uint8Array() }],
    [400, 'RELAY_BAD_REQUEST', url, 'PATCH', { type: MERGE, body: 'no' }],
    [422, 'RELAY_PATCH_INVALID', url, 'PATCH', { type: MERGE, body: '[]' }],
    [422, 'RELAY_PATCH_INVALID', url, 'PATCH', { type: MERGE, body: `{"list":${deep}}` }],
    [422, 'RELAY_PATCH_INVALID', url, 'PATCH', { type: PATCH, body: '[{"op":"jump","path":""}]' }],
    [409, 'RELAY_PATCH_CONFLICT', url, 'PATCH', {
      type: PATCH, body: '[{"op":"add","path":"/x","value":1},{"op":"test","path":"/text","value":"other"}]'
    }],
    [403, 'RELAY_ACCESS_DENIED', url, 'DELETE'],
    [405, 'RELAY_METHOD_NOT_ALLOWED', url, 'PUT', { type: JSON_TYPE, body: '{}' }]
  ]
  for (const [status, code, url, method, options] of cases) {
    const { status: answered, json } = await ask(url, method, options)
    t.match(
      [answered, json?.code],
      [status, code],
      `${method} ${url.slice(http.length, http.length + 100)} ${String(options?.['body']).slice(0, 60)}`
    )
    t.type(json?.error, 'string')
  }
  t.strictSame((await ask(url)).json, { text: 'abc', list: [1] }, 'and nothing has changed')
  const small = await start(t, { limits: { documentChanges: 2 } })
  const { url: full } = await created(t, small.http, { n: 0 })
  t.equal((await ask(full, 'PATCH', { type: MERGE, body: '{"n":1}' })).status, 200)
  t.match(
    await ask(full, 'PATCH', { type: MERGE, body: '{"n":2}' }),
    { status: 413, json: { code: 'RELAY_DOCUMENT_TOO_LARGE' } },
    'no more changes than a peer may bring'
  )
  for (let n = 0; n < 6; n++) {
    await ask(url, 'PATCH', {
      type: MERGE,
      body: JSON.stringify({ text: Buffer.from(crypto.getRandomValues(new Uint8Array(7_000))).toString('base64') })
    })
  }
  t.match((await ask(url)).json, { code: 'RELAY_DOCUMENT_TOO_LARGE' })
  t.equal((await ask(`${url}/heads`)).status, 200)
  t.equal((await ask(`${url}/snapshot`)).status, 200)
})

t.test('events: heads and patches, from where one was; the end is told', async t => {
  const { http, close } = await start(t)
  const { url, heads } = await created(t, http, { text: 'a' })
  const fresh = await listen(t, `${url}/events`)
  const quiet = await listen(t, `${url}/events?patches=false`)
  await until(() => fresh.events.length === 1 && quiet.events.length === 1)
  t.strictSame(fresh.events, [{ event: 'heads', id: heads[0], data: { heads } }])
  const { json } = await ask(url, 'PATCH', { type: MERGE, body: '{"text":"ab"}' })
  await until(() => fresh.events.length === 3 && quiet.events.length === 2)
  t.strictSame(fresh.events.slice(1), [
    { event: 'heads', data: json },
    {
      event: 'patches',
      id: json.heads[0],
      data: { from: heads, heads: json.heads, patch: [{ op: 'replace', path: '/text', value: 'ab' }] }
    }
  ])
  t.strictSame(quiet.events[1], { event: 'heads', id: json.heads[0], data: json })
  for (const again of [await listen(t, `${url}/events`, { 'last-event-id': heads[0]! }), await listen(
    t, `${url}/events?heads=${heads[0]!}`
  )]) {
    await until(() => again.events.length === 2)
    t.strictSame(again.events, fresh.events.slice(1), 'what it has missed')
  }
  const stranger = await listen(t, `${url}/events`, { 'last-event-id': '0'.repeat(64) })
  await until(() => stranger.events.length === 1)
  t.strictSame(stranger.events, [{ event: 'heads', id: json.heads[0], data: json }], 'no patch from what is not known')
  t.equal((await ask(`${url}/events`, 'HEAD')).status, 200)
  await close()
  await until(() => fresh.state.ended && quiet.state.ended)
  t.match(fresh.events.at(-1), { event: 'end', data: { code: 'RELAY_CLOSING' } })
})

t.test('who may: what one may not read is not there; deleting needs leave; the end of a token and of ' +
  'rights', async t => {
  const rules = await scratch(t, { rules: '' })
  const allow = async (actions: string[]) => {
    await writeFile(`${rules}/rules`, JSON.stringify({
      rules: [{ principals: ['ann'], allow: actions }, {
        principals: ['owner'], allow: ['document:read', 'document:write', 'document:create', 'document:delete']
      }]
    }))
  }
  await allow(['metrics:read'])
  const { http } = await start(t, {
    rules: `${rules}/rules`,
    authenticate: ({ token }) =>
      token === undefined ? null : { id: token, ...token === 'brief' && { expires: Date.now() + 1_500 } }
  })
  const bearer = (name: string) => ({ authorization: `Bearer ${name}` })
  const { json: { id, heads } } = await ask(`${http}/api/documents`, 'POST', {
    type: JSON_TYPE, body: '{"a":1}', ...bearer('owner')
  })
  const url = `${http}/api/documents/${id as string}`
  t.equal((await ask(url)).status, 401)
  for (const path of ['', '/heads', '/history', '/snapshot', '/events']) {
    const [there, absent] = await Promise.all([ask(url + path, 'GET', bearer('ann')), ask(
      `${http}/api/documents/${newDocumentId()}${path}`, 'GET', bearer('ann')
    )])
    t.strictSame([there.status, there.json.code], [404, 'RELAY_DOCUMENT_NOT_FOUND'])
    t.strictSame([absent.status, absent.json.code], [404, 'RELAY_DOCUMENT_NOT_FOUND'])
  }
  for (const method of ['PATCH', 'DELETE']) {
    t.equal(
      (await ask(url, method, { ...bearer('ann'), ...method === 'PATCH' && { type: MERGE, body: '{}' } })).status,
      404,
      method
    )
  }
  t.equal((await ask(`${http}/api/documents`, 'POST', { type: JSON_TYPE, body: '{}', ...bearer('ann') })).status, 403)

  await allow(['document:read'])
  await until(async () => (await ask(url, 'GET', bearer('ann'))).status === 200)
  for (const method of ['PATCH', 'DELETE']) {
    t.equal(
      (await ask(url, method, { ...bearer('ann'), ...method === 'PATCH' && { type: MERGE, body: '{}' } })).status,
      403,
      method
    )
  }
  const ann = await listen(t, `${url}/events`, bearer('ann'))
  await until(() => ann.events.length === 1)
  await allow(['metrics:read'])
  await until(async () => (await ask(url, 'GET', bearer('ann'))).status === 404)
  await ask(url, 'PATCH', { type: MERGE, body: '{"secret":1}', ...bearer('owner') })
  await until(() => ann.state.ended)
  t.match(
    ann.events.slice(1), [{ event: 'end', data: { code: 'RELAY_DOCUMENT_NOT_FOUND' } }], 'nothing of what came after'
  )

  const owner = await listen(t, `${url}/events`, bearer('owner'))
  t.equal((await ask(url, 'DELETE', { 'if-match': `"${heads[0] as string}"`, ...bearer('owner') })).status, 412)
  t.equal((await ask(`${url}?ifMatch=${heads[0] as string}`, 'DELETE', bearer('owner'))).status, 412)
  const now = (await ask(`${url}/heads`, 'GET', bearer('owner'))).json.heads[0] as string
  t.equal((await ask(`${url}?ifMatch=${now}`, 'DELETE', bearer('owner'))).status, 204)
  await until(() => owner.state.ended)
  t.match(owner.events.at(-1), { event: 'end', data: { code: 'RELAY_DOCUMENT_DELETED' } })
  for (const [method, path] of [
    ['GET', ''], ['GET', '/heads'], ['GET', '/history'], ['GET', '/snapshot'], ['GET', '/events'], ['HEAD', ''],
    ['PATCH', ''], ['DELETE', '']
  ] as const) {
    const body = method === 'PATCH' && { type: MERGE, body: '{}' }
    t.equal((await ask(url + path, method, { ...bearer('owner'), ...body })).status, 410, `${method} ${path}`)
  }
  t.equal((await ask(url, 'GET', bearer('ann'))).status, 404, 'deleted, it is not there either for who may not read it')
})

t.test('events end with the token', async t => {
  const { http } = await start(t, {
    authenticate: ({ token }) =>
      token === undefined ? null : { id: token, ...token === 'brief' && { expires: Date.now() + 1_500 } }
  })
  const { json: { id } } = await ask(`${http}/api/documents`, 'POST', {
    type: JSON_TYPE, body: '{"a":1}', authorization: 'Bearer owner'
  })
  const { events, state } = await listen(t, `${http}/api/documents/${id as string}/events`, {
    authorization: 'Bearer brief'
  })
  await until(() => state.ended)
  t.match(events.at(-1), { event: 'end', data: { code: 'RELAY_TOKEN_EXPIRED' } })
})

t.test('events: a stream is a connection like any other', async t => {
  const { http } = await start(t, { limits: { connectionsPerAddress: 2 } })
  const { url } = await created(t, http, {})
  const [first] = [await listen(t, `${url}/events`), await listen(t, `${url}/events`)]
  t.match(await ask(`${url}/events`), { status: 429, json: { code: 'RELAY_TOO_MANY_CONNECTIONS' } })
  t.equal((await ask(`${url}/events`, 'HEAD')).status, 200)
  first!.close()
  await until(async () => {
    const gone = new AbortController()
    const { status } = await fetch(`${url}/events`, { signal: gone.signal })
    gone.abort()
    return status === 200
  })
})
