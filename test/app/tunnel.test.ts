import * as Automerge from '@automerge/automerge'
import t from 'tap'
import { client, start, until, urlOf } from '../helper.ts'
import { runner } from '../lib/tunnel/runner.ts'

const TOKEN = 'relay-token'

const clientOf = (http: string) => {
  const { createHttpClient, Serializer } = runner()
  return createHttpClient({ baseUrl: `${http}/__runner`, auth: { token: TOKEN }, serializer: new Serializer() })
}

t.test('without the option there is no tunnel', async t => {
  const { http } = await start(t)
  t.equal((await fetch(`${http}/__runner/discovery`)).status, 404)
})

t.test('the relay’s own operations', async t => {
  const { http, ws } = await start(t, { tunnel: { tokens: [TOKEN] } })
  const tunnel = clientOf(http)
  const document = Buffer.from(Automerge.save(Automerge.from({ text: 'from a backend' }))).toString('base64')
  const { id } = await tunnel.task<unknown, { id: string }>('relay.documents.create', { document })
  const repo = client(t, ws)
  const handle = await repo.find<{ text: string }>(urlOf(id))
  t.equal(handle.doc().text, 'from a backend', 'peers have it')
  handle.change(doc => { doc.text = 'from a peer' })
  await until(async () => {
    const { document } = await tunnel.task<unknown, { document: string }>('relay.documents.get', { id })
    return Automerge.load<{ text: string }>(Buffer.from(document, 'base64')).text === 'from a peer'
  })
  const empty = await tunnel.task<unknown, { id: string }>('relay.documents.create', {})
  t.strictSame((await repo.find(urlOf(empty.id))).doc(), {})
  t.match(await tunnel.task('relay.stats'), { connections: 1, peers: 1, documents: Number })

  const blank = Buffer.from(await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer())
  const uploaded = await (await fetch(`${http}/api/bundles`, { method: 'POST', body: blank })).json() as { id: string }
  const slim = await tunnel.task<unknown, { bundle: string, etag: string }>('relay.bundles.slim', { id: uploaded.id })
  const served = await fetch(`${http}/api/bundles/${uploaded.id}/manifest`)
  t.ok(Buffer.from(slim.bundle, 'base64').equals(Buffer.from(await served.arrayBuffer())))
  t.equal(slim.etag, served.headers.get('etag'))

  const none = 'tjLLZVCcoX9wpjQHXK9cVGzzzzz'
  const refusals: Array<[string, object, string]> = [
    ['relay.documents.get', {}, 'INVALID_INPUT'], ['relay.documents.get', { id: none }, 'INVALID_INPUT'],
    ['relay.documents.create', { document: 'AAAA' }, 'RELAY_DOCUMENT_INVALID'],
    ['relay.documents.create', { document: '%' }, 'INVALID_INPUT'],
    ['relay.bundles.slim', { id: empty.id }, 'RELAY_BUNDLE_NOT_FOUND']
  ]
  for (const [task, input, code] of refusals) {
    t.match(
      await tunnel.task(task, input).catch((error: unknown) => error), { code }, `${task} ${JSON.stringify(input)}`
    )
  }
  const unknown = await start(t, { tunnel: { tokens: [TOKEN] } })
  t.match(await clientOf(unknown.http).task('relay.documents.get', { id }).catch((error: unknown) => error), {
    code: 'RELAY_DOCUMENT_NOT_FOUND'
  })

  const metrics = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text()
  t.match(metrics, /relay_tunnel_calls_total\{kind="task",id="relay.stats",result="ok"\} 1\n/)
  t.match(metrics, /relay_tunnel_calls_total\{kind="task",id="relay.documents.get",result="INVALID_INPUT"\} 2\n/)
  t.match(metrics, /relay_tunnel_call_duration_seconds_bucket\{kind="task",id="relay.stats",le="\+Inf"\} 1\n/)
  t.match(metrics, /relay_tunnel_calls_in_flight\{kind="task",id="relay.stats"\} 0\n/)
})

t.test('under a prefix, and for nobody without a token', async t => {
  const { http } = await start(t, { prefix: '/sync', tunnel: { tokens: [TOKEN], basePath: 'rpc' } })
  const ask = async (headers: Record<string, string>) =>
    await fetch(`${http}/sync/rpc/task/relay.stats`, { method: 'POST', headers })
  t.strictSame(await (await ask({ 'x-runner-token': TOKEN })).json(), {
    ok: true, result: { connections: 0, peers: 0, documents: 0 }
  })
  t.equal((await ask({})).status, 401)
  await t.rejects(start(t, { tunnel: { tokens: [''] } }), { code: 'RELAY_BAD_OPTION', message: /tunnel\.tokens/ })
})
