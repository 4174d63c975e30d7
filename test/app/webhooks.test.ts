import { readFile, readdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { client, start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { RelayProcess } from './crash/relay-process.ts'

interface Got { id: string, type: string, data: { id?: string } }

/** Who takes every event, unless it is told not to. */
async function receiver (t: Test): Promise<{ got: Got[], url: string, answer: { status: number } }> {
  const got: Got[] = []
  const answer = { status: 200 }
  const server = createServer(async (request, response) => {
    const event = JSON.parse(await text(request))
    if (answer.status === 200) got.push({ ...event, id: request.headers['webhook-id'] })
    response.writeHead(answer.status).end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { got, answer, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

t.test('webhooks are told what happens', async t => {
  const { got, url } = await receiver(t)
  const folder = await scratch(t, {
    'webhooks.json': JSON.stringify([{
      url, secret: 'sixteen or more bytes', events: ['relay.peer.connected', 'relay.bundle.stored']
    }])
  })
  const { http, ws } = await start(t, {
    webhookFile: `${folder}/webhooks.json`,
    webhooks: [{ url, secret: 'sixteen or more bytes', events: ['relay.document.changed'] }]
  })
  const saw = (type: string, id?: string) =>
    got.some(event => event.type === type && (id === undefined || event.data.id === id))
  const handle = client(t, ws).create({ n: 1 })
  await until(() => saw('relay.document.changed', handle.documentId) && saw('relay.peer.connected'))
  const body = await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer()
  const stored = await fetch(`${http}/api/bundles`, { method: 'POST', body })
  const { id } = await stored.json() as { id: string }
  await until(() => saw('relay.bundle.stored', id))
  t.ok(got.length >= 3)
  const metrics = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text()
  t.match(metrics, /relay_webhook_deliveries_total\{event="relay.bundle.stored",outcome="delivered"\} 1\n/)
  t.match(metrics, /relay_webhook_request_duration_seconds_count\{event="relay.bundle.stored",result="ok"\} 1\n/)
  t.match(metrics, new RegExp(`relay_webhook_events_waiting\\{receiver="${url}"\\} 0\\n`))
})

t.test('what a receiver had not taken when the relay was killed is sent by the next one, once', async t => {
  const { got, url, answer } = await receiver(t)
  const storage = await scratch(t, {
    'webhooks.json': JSON.stringify([{ url, secret: 'sixteen or more bytes', events: ['relay.bundle.stored'] }])
  })
  const begin = async (): Promise<RelayProcess> => {
    const relay = await RelayProcess.start(storage, { flags: ['--webhook-file', `${storage}/webhooks.json`] })
    t.teardown(async () => { await relay.end('SIGKILL') })
    return relay
  }
  const upload = async (http: string): Promise<string> => {
    const body = await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer()
    return (await (await fetch(`${http}/api/bundles`, { method: 'POST', body })).json() as { id: string }).id
  }
  const first = await begin()
  const ids = [await upload(first.url)]
  await until(() => got.length === 1)
  answer.status = 500
  for (let n = 0; n < 3; n++) ids.push(await upload(first.url))
  const [name] = await readdir(`${storage}/webhooks`)
  await until(async () => (await readFile(`${storage}/webhooks/${name}`, 'utf8')).split('"body"').length > ids.length)
  await first.end('SIGKILL')
  t.equal(first.logged('webhook failed'), 1, 'told once in a while')

  answer.status = 200
  const second = await begin()
  await until(() => got.length >= 4)
  ids.push(await upload(second.url))
  await until(() => got.length >= 5)
  t.strictSame(got.map(({ data }) => data.id), ids, 'in order, and what was taken before not again')
  t.equal(new Set(got.map(({ id }) => id)).size, 5)
})
