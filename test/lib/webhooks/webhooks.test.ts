import { createHmac } from 'node:crypto'
import { appendFile, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import { silent } from '../../../lib/log.ts'
import { registerWebhookMetrics } from '../../../lib/webhooks/metrics.ts'
import { EVENTS, parseWebhooks, readWebhooks, type EventType } from '../../../lib/webhooks/options.ts'
import type { Retries } from '../../../lib/webhooks/subscription.ts'
import { Webhooks, type WebhooksParts } from '../../../lib/webhooks/webhooks.ts'
import { until } from '../../helper.ts'
import { scratch } from '../../scratch.ts'

const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes length').toString('base64')}`
const retries = { attempts: 4, first: 1, longest: 5, timeout: 200, quiet: 0 }

interface Got { headers: IncomingHttpHeaders, body: string }

/** A receiver that answers with the statuses given, then with 204; 0 does not answer. */
async function receiver (t: Test, statuses: number[] = []): Promise<{ url: string, got: Got[] }> {
  const got: Got[] = []
  const server = createServer(async (request, response) => {
    got.push({ headers: request.headers, body: await text(request) })
    const status = statuses.shift() ?? 204
    if (status === 0) return
    response.writeHead(
      status, status === 302 ? { location: '/elsewhere' } : status === 503 ? { 'retry-after': '1' } : {}
    )
      .end('thanks')
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, got }
}

interface PublisherOptions extends Partial<Omit<WebhooksParts, 'retries'>> {
  events?: readonly EventType[]
  retries?: Partial<Retries>
}

async function publisher (
  t: Test, url: string, { events = EVENTS, retries: given, ...options }: PublisherOptions = {}
): Promise<{ webhooks: Webhooks, logged: string[], folder: string }> {
  const logged: string[] = []
  const note = (_facts: object, message: string) => { logged.push(message) }
  const folder = options.folder ?? await scratch(t)
  const webhooks = await Webhooks.open({
    webhooks: [{ url, secret: SECRET, events: [...events] }],
    log: { ...silent, info: note, warn: note, error: note },
    ...options,
    folder,
    retries: { ...retries, ...given }
  })
  t.teardown(async () => { await webhooks.close() })
  return { webhooks, logged, folder }
}

t.test('an event arrives, signed', async t => {
  const { url, got } = await receiver(t)
  const { webhooks } = await publisher(t, url)
  webhooks.publish('relay.bundle.stored', { id: 'abc' })
  await until(() => got.length === 1)
  const [{ headers, body }] = got as [Got]
  t.match(JSON.parse(body), { type: 'relay.bundle.stored', timestamp: /^\d{4}-/, data: { id: 'abc' } })
  const signature = createHmac('sha256', 'a key of thirty-two bytes length')
    .update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
    .digest('base64')
  t.equal(headers['webhook-signature'], `v1,${signature}`)
  t.ok(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 100)
  t.equal(headers['content-type'], 'application/json')
})

t.test('in order, only what was asked for, and the same once while it waits', async t => {
  const { url, got } = await receiver(t)
  const { webhooks } = await publisher(t, url, { events: ['relay.document.changed', 'relay.peer.connected'] })
  webhooks.publish('relay.peer.connected', { n: 1 })
  for (let n = 0; n < 50; n++) webhooks.publish('relay.document.changed', { n }, 'a')
  webhooks.publish('relay.bundle.stored', {})
  webhooks.publish('relay.document.changed', { n: 'b' }, 'b')
  await until(() => got.length === 3)
  t.strictSame(got.map(({ body }) => JSON.parse(body).data.n), [1, 0, 'b'])
  webhooks.publish('relay.document.changed', { n: 'again' }, 'a')
  await until(() => got.length === 4)
})

t.test('it is sent again until it is taken, under the same id', async t => {
  const { url, got } = await receiver(t, [500, 302, 0])
  const { webhooks, logged } = await publisher(t, url)
  webhooks.publish('relay.bundle.stored', { id: 'abc' })
  await until(() => got.length === 4)
  t.equal(new Set(got.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size, 1)
  t.strictSame(logged.map(message => message.replace(/ due to timeout/, '')), [
    'webhook failed: answered 500', 'webhook failed: answered 302', 'webhook failed: The operation was aborted'
  ])
})

t.test('it is given up in the end, and the next one is sent', async t => {
  const { url, got } = await receiver(t, [500, 500, 500, 500])
  const { webhooks, logged } = await publisher(t, url)
  webhooks.publish('relay.bundle.stored', { id: 'lost' })
  webhooks.publish('relay.bundle.stored', { id: 'next' })
  await until(() => got.length === 5)
  t.equal(logged.at(-1), 'event given up: answered 500')
  t.equal(JSON.parse(got[4]!.body).data.id, 'next')
})

t.test('closing ends what is on its way', async t => {
  const { url, got } = await receiver(t, [0])
  const { webhooks, logged } = await publisher(t, url)
  webhooks.publish('relay.bundle.stored', { id: 1 })
  webhooks.publish('relay.bundle.stored', { id: 2 })
  await until(() => got.length === 1)
  await webhooks.close()
  t.strictSame(logged, ['closed with events for a webhook, which are sent after the next start'])
  webhooks.publish('relay.bundle.stored', { id: 3 })
  t.equal(got.length, 1)
})

t.test('what waited is sent by the next one, for receivers that there still are', async t => {
  const { url, got } = await receiver(t, [500, 500, 500])
  const first = await publisher(t, url, { retries: { first: 60_000, longest: 60_000, timeout: 10_000 } })
  for (const n of [1, 2]) first.webhooks.publish('relay.bundle.stored', { n })
  first.webhooks.publish('relay.document.changed', { n: 3 }, 'a')
  await until(() => got.length === 1)
  await first.webhooks.close()
  const { folder } = first
  const [name] = await readdir(folder)
  await appendFile(`${folder}/${name}`, 'no record\n{"id":"torn","type":"relay.bun')
  await writeFile(`${folder}/of-another.jsonl`, '')
  const second = await publisher(t, url, { folder, retries: { first: 60_000, longest: 60_000, timeout: 10_000 } })
  second.webhooks.publish('relay.document.changed', { n: 'the same' }, 'a')
  second.webhooks.publish('relay.bundle.stored', { n: 4 })
  await until(() => got.length === 2)
  await second.webhooks.close()
  t.strictSame(await readdir(folder), [name])
  got.length = 0
  const third = await publisher(t, url, { folder, retries: { timeout: 10_000 } })
  await until(() => third.webhooks.waiting()[0]!.count === 0)
  t.strictSame(got.map(({ body }) => JSON.parse(body).data.n), [1, 1, 2, 3, 4])
  await third.webhooks.close()
  t.equal((await publisher(t, url, { folder })).webhooks.waiting()[0]!.count, 0)
})

t.test('of too many the oldest are dropped, and the file does not grow', async t => {
  const { url, got } = await receiver(t, [500])
  const { webhooks, logged, folder } = await publisher(t, url, {
    maxWaiting: 3, retries: { first: 300, longest: 300, timeout: 10_000, quiet: 60_000 }
  })
  for (let n = 0; n < 10_000; n++) webhooks.publish('relay.bundle.stored', { n })
  await until(() => webhooks.waiting()[0]!.count === 0)
  t.strictSame(got.map(({ body }) => JSON.parse(body).data.n), [0, 0, 9998, 9999])
  t.equal(logged.length, 1, 'told of once')
  await webhooks.close()
  const [name] = await readdir(folder)
  t.ok((await readFile(`${folder}/${name}`, 'utf8')).split('\n').length < 2_000)
  const registry = new Registry()
  registerWebhookMetrics(webhooks, registry)
  const text = await registry.metrics()
  t.match(text, /deliveries_total\{event="relay.bundle.stored",outcome="dropped"\} 9997\n/)
  t.match(text, /deliveries_total\{event="relay.bundle.stored",outcome="delivered"\} 3\n/)
  t.match(text, /retries_total\{event="relay.bundle.stored"\} 1\n/)
})

t.test('a folder that cannot be written to costs what it keeps, and is told of once', async t => {
  const { url, got } = await receiver(t, [500, 500])
  const folder = await scratch(t, { gone: null })
  const { webhooks, logged } = await publisher(t, url, { folder: `${folder}/gone`, retries: { timeout: 10_000 } })
  await rm(`${folder}/gone`, { recursive: true })
  await writeFile(`${folder}/gone`, 'a file')
  for (let n = 0; n < 3; n++) webhooks.publish('relay.bundle.stored', { n })
  await until(() => got.length === 5)
  await webhooks.close()
  t.equal(logged.filter(message => /cannot be kept for a restart: .*ENOTDIR/.test(message)).length, 1)
})

t.test('a receiver that is not there', async t => {
  const { webhooks, logged } = await publisher(t, 'http://127.0.0.1:1/')
  webhooks.publish('relay.bundle.stored', { id: 1 })
  await until(() => logged.length === retries.attempts)
  t.match(logged[0], /^webhook failed: .*(ECONNREFUSED|bad port)/)
})

t.test('a name and a password in the URL are sent as Basic, and told to nobody', async t => {
  const { url, got } = await receiver(t, [500])
  const { webhooks, logged } = await publisher(t, url.replace('://', '://re%40lay:geheim@'))
  webhooks.publish('relay.bundle.stored', { id: 'abc' })
  await until(() => got.length === 2)
  t.equal(got[0]!.headers.authorization, `Basic ${Buffer.from('re@lay:geheim').toString('base64')}`)
  t.notMatch(JSON.stringify([logged, webhooks.waiting()]), /geheim/)
})

t.test('a secret that is no key is refused, and not repeated', async t => {
  for (const secret of [
    'whsec_!!!!!!!!!!!!!!!!', 'whsec_{{ WEBHOOK_SECRET }}', 'whsec_Zm9v          ', 'whsec_============',
    `whsec_${'A'.repeat(96)}`
  ]) {
    t.throws(
      () => parseWebhooks([{ url: 'https://h/', secret }]),
      {
        code: 'RELAY_BAD_OPTION', message: 'option webhooks.0.secret: must have base64 of 24 to 64 bytes behind whsec_'
      },
      secret
    )
  }
  t.equal(parseWebhooks([{ url: 'https://h/', secret: 'a secret that is a text' }]).length, 1)
  t.equal(parseWebhooks([{ url: 'https://h/', secret: SECRET.replace(/=*$/, '') }]).length, 1, 'without padding')
  t.throws(() => parseWebhooks([{ url: 'https://', secret: SECRET }]), { message: 'option webhooks.0.url: is no URL' })
  const folder = await scratch(t, { hooks: '[{ "secret": geheim }]' })
  t.throws(() => readWebhooks(`${folder}/hooks`), { message: /^option webhookFile: is not valid JSON(?!.*geheim)/ })
})

t.test('what is configured', async t => {
  t.strictSame(parseWebhooks([{ url: 'https://h/', secret: SECRET }]), [{
    url: 'https://h/', secret: SECRET, events: EVENTS
  }])
  for (const bad of [
    {}, [{ url: 'ftp://h', secret: SECRET }], [{ url: 'https://h', secret: 'short' }],
    [{ url: 'https://h', secret: SECRET, events: ['nope'] }], [{ url: 'https://h', secret: SECRET, extra: 1 }]
  ]) {
    t.throws(() => parseWebhooks(bad), { code: 'RELAY_BAD_OPTION', message: /webhooks/ })
  }
  const folder = await scratch(t, {
    'good.json': JSON.stringify([{ url: 'https://h/', secret: SECRET }]), 'bad.json': '{'
  })
  t.equal(readWebhooks(`${folder}/good.json`).length, 1)
  for (const name of ['bad.json', 'none.json']) {
    t.throws(() => readWebhooks(`${folder}/${name}`), { code: 'RELAY_BAD_OPTION', message: /webhookFile/ })
  }
})
