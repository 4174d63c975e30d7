import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { DeleteObjectCommand, HeadObjectCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import t, { type Test } from 'tap'
import { S3Objects } from '../../../lib/objects/s3-objects.ts'
import { objectFile, newKey, opened, read, refuses, objectBehaviour } from './object-behaviour.ts'
import { TcpProxy } from './tcp-proxy.ts'

const { TEST_S3_ENDPOINT: server, TEST_S3_BUCKET: bucket = 'relay-test' } = process.env
const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = process.env

const skip = server === undefined && 'needs TEST_S3_ENDPOINT; `.ci/s3-server run npm test` brings a server'
const test = (name: string, run: (t: Test) => Promise<void>) => { t.test(name, { skip }, run) }

const MiB = 1024 * 1024
const region = 'eu-north-1'
const endpoint = server ?? 'http://127.0.0.1:1'
const right = { bucket, region, endpoint, accessKeyId, secretAccessKey }

/** Timeouts for servers that never answer: long enough for one that does. */
const impatient = { check: 500, answer: 500, part: 1000 }

const make = (t: Test, changes: Partial<typeof right> = {}, timeouts = {}) => {
  const store = new S3Objects({ ...right, ...changes }, timeouts)
  t.teardown(() => store.close())
  return store
}

const stored = async (t: Test, bytes: Uint8Array) => {
  const key = newKey()
  t.testdir()
  await make(t).put(key, await objectFile(t, bytes))
  return key
}

const client = new S3Client({ region, endpoint, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } })
t.teardown(() => client.destroy())

test('behaves as a bundle store', async t => { objectBehaviour(t, async t => make(t)) })

test('takes credentials from the SDK’s own chain', async t => {
  const store = new S3Objects({ bucket, region, endpoint })
  t.teardown(() => store.close())
  await t.resolves(store.check('bundles/'))
})

test('keeps the object under Tonk’s key, with its type and date', async t => {
  for (const size of [10, 11 * MiB]) {
    const key = await stored(t, randomBytes(size))
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
    t.equal(head.ContentType, 'application/octet-stream')
    t.match(head.Metadata, { uploadedat: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ })
  }
})

test('a bundle replaced or deleted between open and read is told', async t => {
  const [key, bytes] = [newKey(), randomBytes(1000)]
  t.testdir()
  const store = make(t)
  await store.put(key, await objectFile(t, bytes))
  const bundle = await opened(t, store, key)
  const begun = bundle.stream()
  await store.put(key, await objectFile(t, randomBytes(1000)))
  t.match(await refuses(t, buffer(begun), 'RELAY_OBJECT_CHANGED'), { statusCode: 503, retryAfter: 1 })
  await refuses(t, read(bundle, { start: 0, end: 1 }), 'RELAY_OBJECT_CHANGED')
  await store.put(key, await objectFile(t, bytes))
  t.ok((await read(bundle)).equals(bytes), 'the same bytes again have the same ETag')
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
  await refuses(t, read(bundle), 'RELAY_OBJECT_CHANGED')
})

test('a wrong setting is told by every method, without credentials', async t => {
  t.testdir()
  const file = await objectFile(t, randomBytes(6 * MiB))
  const gone = await TcpProxy.start(t, endpoint)
  const nobody = gone.endpoint.replace('//', '//user:secret-in-url@')
  gone.stop()
  const other = createServer((request, response) => { response.writeHead(404).end('<html>Not\nS3') })
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const settings: Array<[Partial<typeof right>, RegExp]> = [
    [{ endpoint: nobody }, /ECONNREFUSED/],
    [{ endpoint: `http://127.0.0.1:${(other.address() as AddressInfo).port}` }, /\(404\)/],
    [{ endpoint: 'http://no-such-host.invalid' }, /ENOTFOUND/],
    [{ bucket: 'no-such-bucket' }, /no-such-bucket.*NoSuchBucket/],
    [{ secretAccessKey: 'wrong-secret' }, /SignatureDoesNotMatch \(403\)/],
    [{ accessKeyId: 'unknown-key', secretAccessKey: 'wrong-secret' }, /No user exists/],
    [{ region: 'mars-east-1' }, /expecting "eu-north-1"/]
  ]
  for (const [changes, reason] of settings) {
    const store = make(t, changes)
    const errors = [
      await refuses(t, store.check('bundles/'), 'RELAY_STORE_UNAVAILABLE'),
      await refuses(t, store.open(newKey()), 'RELAY_STORE_UNAVAILABLE'),
      await refuses(t, store.put(newKey(), file), 'RELAY_STORE_UNAVAILABLE')
    ]
    t.match(errors[0]?.message, reason)
    t.notMatch(errors[0]?.message, '\n')
    for (const { message } of errors.slice(1)) {
      t.notMatch(message, changes.bucket ?? bucket, 'no bucket in a message that clients may see')
    }
    const printed = inspect(
      [errors, store], { depth: Infinity, showHidden: true }
    ) + errors.map(error => error.stack).join()
    for (const secret of [accessKeyId, secretAccessKey, 'unknown-key', 'wrong-secret', 'secret-in-url']) {
      t.notOk(printed.includes(secret), `${secret} is nowhere in ${errors[0]?.message ?? ''}`)
    }
  }
})

test('a server that takes connections and says nothing is given up', async t => {
  t.testdir()
  const proxy = await TcpProxy.start(t, endpoint)
  proxy.fault = () => 'stall'
  const error = await refuses(
    t, make(t, { endpoint: proxy.endpoint }, { check: 500 }).check('bundles/'), 'RELAY_STORE_UNAVAILABLE'
  )
  t.match(error.message, `${bucket} at ${proxy.endpoint} cannot be used: no answer in 500 ms`)
  const store = make(t, { endpoint: proxy.endpoint }, impatient)
  await refuses(t, store.open(newKey()), 'RELAY_STORE_UNAVAILABLE')
  await refuses(t, store.put(newKey(), await objectFile(t, Buffer.from('bytes'))), 'RELAY_STORE_UNAVAILABLE')
})

test('the bucket is part of the path, whatever the endpoint is called', async t => {
  const { port } = new URL(endpoint)
  await t.resolves(make(t, { endpoint: `http://localhost:${port}` }).check('bundles/'))
})

test('asks for nothing before a stream is read', async t => {
  const key = await stored(t, randomBytes(1000))
  const proxy = await TcpProxy.start(t, endpoint)
  const bundle = await opened(t, make(t, { endpoint: proxy.endpoint }), key)
  const before = proxy.received
  const [stream, never] = [bundle.stream(), bundle.stream()]
  never.destroy()
  await once(never, 'close')
  t.equal((await read(bundle, { start: 3, end: 3 })).length, 0)
  t.equal(proxy.received, before)
  await buffer(stream)
  t.ok(proxy.received > before)
})

test('a destroyed stream ends its request', async t => {
  const key = await stored(t, randomBytes(20 * MiB))
  const proxy = await TcpProxy.start(t, endpoint)
  const bundle = await opened(t, make(t, { endpoint: proxy.endpoint }, { answer: 600_000 }), key)
  const gone = async () => { while (proxy.connections > 0) await sleep(10) }

  const underWay = bundle.stream()
  await once(underWay, 'readable')
  underWay.destroy()
  await once(underWay, 'close')
  await gone()
  t.pass('in the middle of the body')

  proxy.fault = direction => direction === 'down' ? 'stall' : undefined
  const unanswered = bundle.stream()
  unanswered.resume()
  const sent = proxy.received
  while (proxy.received === sent) await sleep(10)
  unanswered.destroy()
  await once(unanswered, 'close')
  await gone()
  t.pass('before the answer')
})

test('a download that is cut or stalls fails', async t => {
  const key = await stored(t, randomBytes(20 * MiB))
  const proxy = await TcpProxy.start(t, endpoint)
  const bundle = await opened(t, make(t, { endpoint: proxy.endpoint }, impatient), key)
  for (const fault of ['cut', 'stall'] as const) {
    proxy.fault = (direction, bytes) => direction === 'down' && bytes > MiB ? fault : undefined
    const error = await refuses(t, read(bundle), 'RELAY_STORE_UNAVAILABLE')
    t.match(error.message, fault === 'cut' ? /ECONNRESET/ : /no data/)
  }
})

test('a reader may take its time', async t => {
  const bytes = randomBytes(20 * MiB)
  const key = await stored(t, bytes)
  const bundle = await opened(t, make(t, {}, { answer: 200 }), key)
  const chunks: Buffer[] = []
  for await (const chunk of bundle.stream()) {
    if (chunks.length === 1) await sleep(1000)
    chunks.push(chunk)
  }
  t.ok(Buffer.concat(chunks).equals(bytes))
})

test('many readers that do not read keep nobody out', async t => {
  const store = make(t)
  const key = await stored(t, randomBytes(20 * MiB))
  const bundle = await opened(t, store, key)
  const streams = Array.from({ length: 60 }, () => bundle.stream())
  await Promise.all(streams.map(stream => once(stream, 'readable')))
  t.equal((await read(await opened(t, store, key), { start: 0, end: 10 })).length, 10)
  for (const stream of streams) stream.destroy()
})

test('the parts of an upload share connections', async t => {
  t.testdir()
  const proxy = await TcpProxy.start(t, endpoint)
  await make(t, { endpoint: proxy.endpoint }).put(newKey(), await objectFile(t, randomBytes(40 * MiB)))
  t.ok(proxy.accepted <= 2, `${proxy.accepted} connections`)
})

test('an upload whose connection is cut once is whole', async t => {
  t.testdir()
  const [key, bytes, proxy] = [newKey(), randomBytes(20 * MiB), await TcpProxy.start(t, endpoint)]
  let cuts = 0
  proxy.fault = (direction, bytes) => direction === 'up' && bytes > 3 * MiB && cuts++ === 0 ? 'cut' : undefined
  await make(t, { endpoint: proxy.endpoint }).put(key, await objectFile(t, bytes))
  t.ok(cuts > 0)
  t.ok((await read(await opened(t, make(t), key))).equals(bytes))
})

test('an upload that fails leaves the old bundle, and no parts where the server can still be told', async t => {
  const key = await stored(t, Buffer.from('old'))
  const file = await objectFile(t, randomBytes(20 * MiB))
  const proxy = await TcpProxy.start(t, endpoint)
  proxy.fault = (direction, bytes) => direction === 'up' && bytes > 3 * MiB ? 'cut' : undefined
  await refuses(t, make(t, { endpoint: proxy.endpoint }).put(key, file), 'RELAY_STORE_UNAVAILABLE')
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  t.strictSame(Uploads.filter(({ Key }) => Key === key), [])

  const dying = await TcpProxy.start(t, endpoint)
  dying.fault = (direction, bytes) => {
    if (direction === 'up' && bytes > 3 * MiB) dying.stop()
    return undefined
  }
  await refuses(t, make(t, { endpoint: dying.endpoint }).put(key, file), 'RELAY_STORE_UNAVAILABLE')
  t.equal((await read(await opened(t, make(t), key))).toString(), 'old')
})

test('a put whose answer is lost is told as what it was', async t => {
  const proxy = await TcpProxy.start(t, endpoint)
  const store = make(t, { endpoint: proxy.endpoint })
  for (const size of [10, 6 * MiB]) {
    const [key, bytes] = [newKey(), randomBytes(size)]
    let [sent, cuts] = [0, 0]
    const before = proxy.received
    proxy.fault = direction => {
      if (direction === 'up') sent = proxy.received - before
      return direction === 'down' && sent > size && cuts++ === 0 ? 'cut' : undefined
    }
    const { etag } = await store.put(key, bytes, { replaces: null })
    t.equal(cuts > 0, true, 'the answer was lost')
    proxy.fault = () => undefined
    t.equal((await store.head(key))?.etag, etag)
    await refuses(t, store.put(key, bytes, { replaces: null }), 'RELAY_PRECONDITION_FAILED')
  }
})

test('a put that is given up leaves no parts', async t => {
  const [store, key, aborter] = [make(t), newKey(), new AbortController()]
  const parts = async () => (
    await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
  ).Uploads?.filter(({ Key }) => Key === key) ?? []
  let pushed = 0
  const body = new Readable({ read () { if (pushed++ < 12) this.push(Buffer.alloc(MiB)) } })
  const put = store.put(key, body, { signal: aborter.signal })
  while ((await parts()).length === 0) await sleep(10)
  aborter.abort()
  await t.rejects(put, { name: 'AbortError' })
  while ((await parts()).length > 0) await sleep(10)
  t.equal(await store.head(key), null)
})
