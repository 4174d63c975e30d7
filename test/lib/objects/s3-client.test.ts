import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import type { S3Options } from '../../../lib/objects/options.ts'
import { S3_TIMEOUTS, createS3Client, harmless, placeOf } from '../../../lib/objects/s3-client.ts'
import { S3Objects } from '../../../lib/objects/s3-objects.ts'

interface Seen { method: string, headers: IncomingHttpHeaders, sha256: string }

/** As little of S3 as it takes to see what it is sent, in one part or in several. */
async function fakeS3 (t: Test): Promise<{ endpoint: string, seen: Seen[] }> {
  const seen: Seen[] = []
  const objects = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    buffer(request).then(body => {
      const { pathname, searchParams } = new URL(request.url!, 'http://s3')
      seen.push({
        method: request.method!, headers: request.headers, sha256: createHash('sha256').update(body).digest('hex')
      })
      const xml = (text: string) =>
        response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>${text}`)
      if (searchParams.has('uploads')) {
        return xml('<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>')
      }
      if (request.method === 'POST') {
        return xml('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>')
      }
      if (request.method === 'PUT') objects.set(pathname, body)
      const stored = objects.get(pathname) ?? Buffer.alloc(0)
      const facts = { etag: '"one"', 'last-modified': new Date().toUTCString() }
      response.writeHead(
        request.headers.range === undefined ? 200 : 206,
        { ...facts, ...request.method !== 'PUT' && { 'content-length': stored.length } }
      )
      response.end(request.method === 'GET' ? stored : undefined)
    }).catch(error => { response.destroy(error) })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => { server.close().closeAllConnections() })
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const keys = { accessKeyId: 'key', secretAccessKey: 'secret' }

async function putAndRead (t: Test, options: Partial<S3Options>): Promise<Seen[]> {
  const { endpoint, seen } = await fakeS3(t)
  const objects = new S3Objects({ bucket: 'b', region: 'auto', endpoint, ...keys, ...options })
  t.teardown(() => objects.close())
  await objects.put('small', Buffer.from('bytes'))
  await objects.put('stream', Readable.from([Buffer.from('bytes')], { objectMode: false }))
  await objects.put('large', Buffer.alloc(11 * 1024 * 1024))
  const stored = (await objects.open('small'))!
  t.equal(String(await buffer(stored.stream())), 'bytes')
  await stored.close()
  return seen
}

const ODD = /^x-amz-(checksum|sdk-checksum|trailer)/

t.test('a server of an endpoint is sent no checksums that it may not know, and signed bytes', async t => {
  const seen = await putAndRead(t, {})
  t.strictSame(seen.map(({ method }) => method), ['PUT', 'PUT', 'POST', 'PUT', 'PUT', 'PUT', 'POST', 'HEAD', 'GET'])
  for (const { method, headers, sha256 } of seen) {
    t.strictSame(Object.keys(headers).filter(name => ODD.test(name)), [], method)
    t.notMatch(headers['content-encoding'] ?? '', /aws-chunked/)
    t.equal(headers['x-amz-content-sha256'], sha256, `${method}: what the server is to find is signed`)
  }
})

t.test('a server that knows checksums can be sent them', async t => {
  const seen = await putAndRead(t, { checksums: 'supported' })
  const parts = seen.filter(({ method }) => method === 'PUT')
  for (const { headers } of parts) t.type(headers['x-amz-checksum-crc32'], 'string')
  t.equal(seen.at(-1)!.headers['x-amz-checksum-mode'], 'ENABLED')
})

t.test('AWS’s own S3 is sent checksums unless told otherwise', async t => {
  for (const [checksums, expected] of [[undefined, 'WHEN_SUPPORTED'], ['required', 'WHEN_REQUIRED']] as const) {
    const client = createS3Client({ bucket: 'b', region: 'eu-north-1', checksums }, S3_TIMEOUTS)
    t.equal(await client.config.requestChecksumCalculation(), expected)
    t.equal(await client.config.responseChecksumValidation(), expected)
    client.destroy()
  }
})

t.test('errors and places without what is secret', async t => {
  t.equal(placeOf({ bucket: 'b', region: 'r' }), 'b')
  t.equal(placeOf({ bucket: 'b', region: 'r', endpoint: 'https://user:pass@s3.example' }), 'b at https://s3.example')
  const error = Object.assign(
    new Error('Denied.\nAccess key: AKIA'),
    { name: 'AccessDenied', $metadata: { httpStatusCode: 403 }, request: { secret: 1 } }
  )
  const { message, ...rest } = harmless(error)
  t.strictSame([message, Object.keys(rest)], ['AccessDenied (403): Denied.', []])
})
