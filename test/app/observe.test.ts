import { tracingChannel } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import Fastify from 'fastify'
import t from 'tap'
import WebSocket from 'ws'
import relay from '../../app.ts'
import { client, listen, start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'

const figures = async (http: string): Promise<Map<string, number>> => {
  const text = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text()
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return new Map(lines.map(line => [
    line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))
  ]))
}

t.test('what is going on, as figures', async t => {
  const { http, ws, app } = await start(t)
  const handle = client(t, ws).create<{ n: number }>({ n: 0 })
  await client(t, ws).find(handle.url)
  await until(async () => (await figures(http)).get('relay_followers{standing="steady"}') === 2)
  const read = await figures(http)
  t.equal(read.get('relay_followers{standing="fallback"}'), 0)
  t.equal(read.get('relay_sync_sessions'), 0)
  t.ok(read.get('relay_journal_commit_seconds_count')! > 0)
  t.ok(read.get('relay_journal_batch_records_sum')! >= read.get('relay_journal_commit_seconds_count')!)
  t.ok(read.get('relay_journal_written_bytes_total')! > 0)
  t.ok(
    read.get('relay_disk_free_bytes')! > 0 && read.get('relay_disk_free_bytes')! <= read.get('relay_disk_size_bytes')!
  )
  t.equal(read.get('relay_storage_failing'), 0)
  t.equal(read.get('relay_health_check{check="disk"}'), 1)
  for (const part of ['history', 'outgoing', 'sessions', 'journal', 'slim']) {
    t.ok(read.has(`relay_memory_bytes{part="${part}"}`), part)
  }
  t.ok(app)
})

t.test('a connection leaves one line, with its request’s id and without its token', async t => {
  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write (chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    }
  })
  const storage = await scratch(t)
  const app = Fastify({ logger: { stream } })
  app.register(relay, { storage })
  const { ws } = await listen(t, app)
  const socket = new WebSocket(`${ws}/`)
  await once(socket, 'open')
  socket.close(4321)
  await until(() => lines.some(({ msg }) => msg === 'connection closed'))
  const other = new WebSocket(`${ws}/`)
  await once(other, 'open')
  other.send('text')
  await until(() => lines.filter(({ msg }) => msg === 'connection closed').length === 2)
  const [left, refused] = lines.filter(({ msg }) => msg === 'connection closed')
  t.match(left, {
    reqId: String,
    connection: /^connection-\d+$/,
    peerId: '',
    code: 4321,
    sent: { messages: 0 },
    received: { messages: 0, bytes: Number }
  })
  t.ok((left!['duration'] as number) >= 0)
  t.notOk('reason' in left!)
  t.match(refused, { code: 1003, reason: /^RELAY_FRAME_NOT_BINARY: /, received: { messages: 1 } })
  t.not(refused!['reqId'], left!['reqId'])
})

t.test('uploads, opened documents and folds can be traced', async t => {
  const seen: Array<[string, Record<string, unknown>]> = []
  for (const name of ['upload', 'open', 'fold']) {
    const channel = tracingChannel(`fastify-automerge-relay.${name}`)
    const subscribers = {
      start () {},
      end () {},
      asyncStart () {},
      asyncEnd: (context: object) => { seen.push([name, { ...context }]) },
      error () {}
    }
    channel.subscribe(subscribers)
    t.teardown(() => { channel.unsubscribe(subscribers) })
  }
  const { http, ws, close } = await start(t)
  const blank = Buffer.from(await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer())
  const { id } = await (await fetch(`${http}/api/bundles`, { method: 'POST', body: blank })).json() as { id: string }
  const refused = await fetch(`${http}/api/bundles`, { method: 'POST', body: 'no bundle' })
  t.equal(refused.status, 400)
  const handle = client(t, ws).create({ n: 0 })
  await until(() => seen.some(([name, { documentId }]) => name === 'open' && documentId === handle.documentId))
  await close()
  t.match(seen.filter(([name]) => name === 'upload'), [
    ['upload', { bytes: blank.length, id, result: undefined }],
    ['upload', { bytes: 9, error: { code: 'RELAY_BUNDLE_INVALID' } }]
  ])
  t.match(seen.filter(([name]) => name === 'fold').at(-1), ['fold', { documents: Number, bytes: Number }])
})
