import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { client, start, until, urlOf } from '../helper.ts'

const MERGE = 'application/merge-patch+json'
const PATCH = 'application/json-patch+json'

interface Doc { text: string, n?: number, list?: unknown[], [key: string]: unknown }

const patch = async (url: string, body: unknown, type = MERGE): Promise<Response> =>
  await fetch(url, { method: 'PATCH', headers: { 'content-type': type }, body: JSON.stringify(body) })
const create = async (http: string, content: object): Promise<string> => {
  const response = await fetch(`${http}/api/documents`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(content)
  })
  return (await response.json() as { id: string }).id
}

t.test('a service without Automerge and a client with it change one document', async t => {
  const { http, ws } = await start(t)
  const id = await create(http, { text: 'Once upon a time', list: [1] })
  const url = `${http}/api/documents/${id}`
  const handle = await client(t, ws).find<Doc>(urlOf(id))
  t.strictSame(handle.doc(), { text: 'Once upon a time', list: [1] })
  await patch(url, { n: 1 })
  await until(() => handle.doc().n === 1)
  handle.change(doc => { doc['from'] = 'the client' })
  await until(async () => (await (await fetch(url)).json() as Doc)['from'] === 'the client')

  // both type into the same text at once, again and again
  for (let n = 0; n < 10; n++) {
    handle.change(doc => { Automerge.splice(doc, ['text'], 0, 0, `c${n} `) })
    const seen = await fetch(url)
    const { text } = await seen.json() as Doc
    if (n % 3 === 0) await new Promise(resolve => setTimeout(resolve, 200)) // the client's comes in between
    const heads = seen.headers.get('etag')!.slice(1, -1)
    const edit = { op: 'replace', path: '/text', value: `${text} s${n}` }
    t.equal((await patch(`${url}?heads=${heads}`, [edit], PATCH)).status, 200)
  }
  await until(
    async () => (await (await fetch(url)).json() as Doc).text === handle.doc().text && handle.doc().text.includes('s9')
  )
  const { text } = handle.doc()
  for (let n = 0; n < 10; n++) {
    for (const who of ['c', 's']) t.equal(text.split(`${who}${n}`).length, 2, `${who}${n} is there, once`)
  }
  t.match(text, /^c9 .* c0 Once upon a time s0 .* s9$/)
})

t.test('deleted: no stale client brings it back, not even after a restart', async t => {
  const rules = { authorize: () => true }
  const first = await start(t, rules)
  const id = await create(first.http, { text: 'gone' })
  const other = await create(first.http, { text: 'stays' })
  const repo = client(t, first.ws)
  const [handle, kept] = [await repo.find<Doc>(urlOf(id)), await repo.find<Doc>(urlOf(other))]
  t.equal((await fetch(`${first.http}/api/documents/${id}`, { method: 'DELETE' })).status, 204)
  handle.change(doc => { doc.text = 'back again' })
  kept.change(doc => { doc.text = 'stays here' })
  await until(
    async () => (await (await fetch(`${first.http}/api/documents/${other}`)).json() as Doc).text === 'stays here'
  )
  t.equal((await fetch(`${first.http}/api/documents/${id}`)).status, 410)
  await first.close()

  const second = await start(t, { ...rules, storage: first.storage })
  const stale = client(t, second.ws)
  const revived = stale.import<Doc>(Automerge.save(handle.doc()), { docId: id as never })
  revived.change(doc => { doc.n = 1 })
  const asked = client(t, second.ws)
  await t.rejects(asked.find(urlOf(id)), /unavailable/)
  t.equal((await fetch(`${second.http}/api/documents/${id}`)).status, 410)
  t.equal((await asked.find<Doc>(urlOf(other))).doc().text, 'stays here')
})

t.test('what an old client holds offline and a service has changed come together', async t => {
  const { http, ws, storage, close } = await start(t)
  const id = await create(http, { text: 'a', count: 0 })
  const repo = client(t, ws)
  const handle = await repo.find<Doc>(urlOf(id))
  await close()
  handle.change(doc => { doc['offline'] = true })
  const again = await start(t, { storage })
  await patch(`${again.http}/api/documents/${id}`, { n: 7 })
  const later = client(t, again.ws)
  later.import<Doc>(Automerge.save(handle.doc()), { docId: id as never })
  await until(async () => (await (await fetch(`${again.http}/api/documents/${id}`)).json() as Doc)['offline'] === true)
  t.match(await (await fetch(`${again.http}/api/documents/${id}`)).json(), { text: 'a', n: 7, offline: true })
})
