import { randomBytes } from 'node:crypto'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Spool } from '../../../lib/bundles/spool.ts'
import { RelayError } from '../../../lib/errors.ts'
import { refuses } from '../objects/object-behaviour.ts'

const make = async (t: Test, folder = path.join(t.testdir(), 'tmp')) => {
  const spool = new Spool(folder)
  await spool.open()
  return { spool, folder, left: () => readdir(folder) }
}

const unused = async () => { throw new Error('was used') }

t.test('a stream becomes a file, opened, and the file goes', async t => {
  const { spool, left } = await make(t)
  const bytes = randomBytes(1_000_000)
  const stream = Readable.from([bytes.subarray(0, 10), bytes.subarray(10)], { objectMode: false })
  const result = await spool.hold({ stream, limit: bytes.length, length: bytes.length }, async (opened, file) => {
    t.equal(opened.size, bytes.length)
    t.equal(file.size, bytes.length)
    t.ok((await readFile(file.path)).equals(bytes))
    t.ok((await buffer(opened.stream())).equals(bytes))
    return 'done'
  })
  t.equal(result, 'done')
  t.strictSame(await left(), [])
})

t.test('the file can be moved away and is readable still', async t => {
  const { spool, folder, left } = await make(t)
  const bytes = randomBytes(100_000)
  const target = path.join(folder, '..', 'moved')
  await spool.hold({ stream: Readable.from([bytes]), limit: 1e6 }, async (opened, file) => {
    await rename(file.path, target)
    t.ok((await buffer(opened.stream())).equals(bytes))
  })
  t.ok((await readFile(target)).equals(bytes))
  t.strictSame(await left(), [])
})

t.test('too large: at once when announced, else as soon as it is passed', async t => {
  const { spool, left } = await make(t)
  let asked = 0
  const endless = () => new Readable({ read () { asked++; this.push(Buffer.alloc(1000)) } })
  const announced = endless()
  await refuses(t, spool.hold({ stream: announced, limit: 1e6, length: 1e6 + 1 }, unused), 'RELAY_BUNDLE_TOO_LARGE')
  t.equal(asked, 0)
  const stream = endless()
  await refuses(t, spool.hold({ stream, limit: 1e6, length: 10 }, unused), 'RELAY_BUNDLE_TOO_LARGE')
  t.ok(asked < 1200, `${asked} chunks were read`)
  t.notOk(stream.destroyed || announced.destroyed, 'their sender can be answered')
  t.equal(stream.listenerCount('readable'), 0, 'and what still comes be read by another')
  await spool.hold({ stream: Readable.from([Buffer.alloc(1e6)]), limit: 1e6 }, async () => {})
  t.strictSame(await left(), [])
})

t.test('nothing at all', async t => {
  const { spool, left } = await make(t)
  const error = await refuses(t, spool.hold({ stream: Readable.from([]), limit: 10 }, unused), 'RELAY_BUNDLE_INVALID')
  t.equal(error.message, 'Invalid bundle data')
  t.strictSame(await left(), [])
})

t.test('an upload that its client aborts', async t => {
  const { spool, left } = await make(t)
  const holding = new Promise<Promise<unknown>>(resolve => {
    const server = createServer(incoming => { resolve(spool.hold({ stream: incoming, limit: 1e9 }, unused)) })
    t.teardown(() => server.close())
    server.listen(0, '127.0.0.1', () => {
      const upload = request({
        port: (server.address() as AddressInfo).port, method: 'POST', headers: { 'content-length': 1e6 }
      })
      upload.on('error', () => {}) // it is what we cause
      upload.write(Buffer.alloc(1000), () => upload.destroy())
    })
  })
  await refuses(t, holding.then(held => held), 'RELAY_BAD_REQUEST')
  t.strictSame(await left(), [])
})

t.test('a stream that knows why it failed, and one that is just gone', async t => {
  const { spool, left } = await make(t)
  const stream = new Readable({ read () { this.destroy(new RelayError('RELAY_STORE_UNAVAILABLE', 'no')) } })
  await refuses(t, spool.hold({ stream, limit: 10 }, unused), 'RELAY_STORE_UNAVAILABLE')
  await refuses(
    t, spool.hold({ stream: new Readable({ read () { this.destroy() } }), limit: 10 }, unused), 'RELAY_BAD_REQUEST'
  )
  t.strictSame(await left(), [])
})

t.test('what the user of the file throws is thrown, and the file goes', async t => {
  const { spool, left } = await make(t)
  await t.rejects(spool.hold({ stream: Readable.from([Buffer.alloc(5)]), limit: 10 }, unused), { message: 'was used' })
  t.strictSame(await left(), [])
})

t.test('the disk’s errors name the folder', async t => {
  const { spool, folder } = await make(t)
  await rm(folder, { recursive: true })
  const error = await refuses(
    t, spool.hold({ stream: Readable.from([Buffer.alloc(5)]), limit: 10 }, unused), 'RELAY_STORAGE_FAILED'
  )
  t.match(error.message, folder)
})

t.test('a folder that cannot be made', async t => {
  const folder = path.join(t.testdir({ file: '' }), 'file', 'tmp')
  const error = await refuses(t, new Spool(folder).open(), 'RELAY_STORAGE_FAILED')
  t.match(error.message, folder)
})

t.test('leftovers of a killed process go after an hour', async t => {
  const { folder, left } = await make(t)
  const old = new Date(Date.now() - 2 * 60 * 60 * 1000)
  for (const name of ['00000000-0000-4000-8000-000000000000.tonk', '11111111-0000-4000-8000-000000000000.tonk']) {
    await writeFile(path.join(folder, name), 'x')
  }
  await utimes(path.join(folder, '00000000-0000-4000-8000-000000000000.tonk'), old, old)
  await make(t, folder)
  t.strictSame(await left(), ['11111111-0000-4000-8000-000000000000.tonk'])
})
