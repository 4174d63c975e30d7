import t, { type Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import { RelayError } from '../../../lib/errors.ts'
import { RelayPlace } from '../../../lib/nodes/relay-place.ts'
import { FolderObjects } from '../../../lib/objects/folder-objects.ts'
import { blockName } from '../../../lib/shards/block-name.ts'
import { allBlocks, type BlockStore } from '../../../lib/shards/block-store.ts'
import { ObjectBlocks } from '../../../lib/shards/object-blocks.ts'
import { scratch } from '../../scratch.ts'

async function listen (t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The other side of the wire, over a folder. */
async function answer (request: IncomingMessage, shards: BlockStore): Promise<unknown> {
  const url = new URL(request.url!, 'http://relay')
  const name = url.pathname.replace('/vault/shards', '').slice(1)
  const body = await buffer(request)
  switch (`${request.method} ${name.length === 64 ? ':hash' : name}`) {
    case 'PUT :hash': await shards.put(name, body); return {}
    case 'GET :hash': return Buffer.from(await shards.read(name))
    case 'DELETE :hash': await shards.remove(name); return {}
    case 'POST missing': return { missing: await shards.missing(JSON.parse(body.toString()).names) }
    case 'POST verify': return { states: Object.fromEntries(await shards.verify(JSON.parse(body.toString()).names)) }
    case 'GET ': return {
      blocks: await shards.list({
        limit: Number(url.searchParams.get('limit')), after: url.searchParams.get('after') ?? undefined
      })
    }
  }
  throw new Error(`${request.method} ${request.url}`)
}

t.test('blocks at another relay', async t => {
  const folder = await scratch(t)
  const objects = new FolderObjects({ folder, scratch: path.join(folder, 'tmp') })
  await objects.check('vault/')
  const local = new ObjectBlocks({ objects, prefix: 'vault/' })
  const tokens = new Set<string | undefined>()
  const url = await listen(t, (request, response) => {
    tokens.add(request.headers.authorization)
    answer(request, local).then(answer => {
      response.end(answer instanceof Buffer ? answer : JSON.stringify(answer))
    }, (error: RelayError) => {
      response.writeHead(error.statusCode ?? 500).end(JSON.stringify({ error: error.message, code: error.code }))
    })
  })
  const { shards } = new RelayPlace({ url: `${url}/`, token: 'secret' })
  const blocks = Array.from({ length: 4 }, () => randomBytes(1000))
  const names = blocks.map(blockName)
  for (const [at, bytes] of blocks.entries()) await shards.put(names[at]!, bytes)
  t.ok(blocks[2]!.equals(await shards.read(names[2]!)))
  const absent = 'ab'.repeat(32)
  t.strictSame(await shards.missing([absent, ...names]), [absent])
  t.strictSame([...await shards.verify([names[0]!, absent])], [[names[0]!, 'whole'], [absent, 'missing']])
  const listed: string[] = []
  for await (const { name } of allBlocks(shards)) listed.push(name)
  t.strictSame(listed, [...names].sort())
  await shards.remove(names[0]!)
  await t.rejects(shards.read(names[0]!), { code: 'RELAY_SHARD_NOT_FOUND' })
  await t.rejects(shards.put(absent, blocks[0]!), { code: 'RELAY_SHARD_INVALID' }, 'before it is sent')
  t.strictSame([...tokens], ['Bearer secret'])
})

t.test('what another relay answers is not trusted', async t => {
  const name = 'ab'.repeat(32)
  const answers: Record<string, [number, string]> = {
    '/full/vault/shards': [507, '{"error":"no room","code":"RELAY_SHARDS_FULL"}'],
    '/html/vault/shards': [200, '<html>'],
    '/null/vault/shards': [200, 'null'],
    '/lies/vault/shards': [200, '{"blocks":[{"name":"../x","size":1}],"states":{},"missing":["other"]}'],
    '/proxy/vault/shards': [502, 'Bad gateway'],
    '/moved/vault/shards': [302, '']
  }
  const url = await listen(t, (request, response) => {
    const [status, body] = Object.entries(answers).find(([start]) => request.url!.startsWith(start))![1]
    response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body)
  })
  const at = (path: string): BlockStore => new RelayPlace({ url: `${url}/${path}` }).shards
  const away = { code: 'RELAY_STORE_UNAVAILABLE' }
  const bytes = randomBytes(10)
  await t.rejects(at('full').put(blockName(bytes), bytes), { code: 'RELAY_SHARDS_FULL' })
  await t.rejects(at('html').missing([name]), away)
  await t.rejects(at('null').verify([name]), away)
  await t.rejects(at('lies').verify([name]), away)
  await t.rejects(at('lies').list({ limit: 10 }), away)
  t.strictSame(await at('lies').missing([name]), [])
  await t.rejects(at('proxy').read(name), away)
  await t.rejects(at('moved').read(name), away)
  await t.rejects(new RelayPlace({ url: 'http://127.0.0.1:1' }).shards.read(name), away)
})

t.test('a relay that never answers is given up, and so is a read that nobody waits for', async t => {
  const url = await listen(t, () => {})
  const name = 'ab'.repeat(32)
  await t.rejects(new RelayPlace({ url, timeout: 50 }).shards.read(name), { code: 'RELAY_STORE_UNAVAILABLE' })
  const aborter = new AbortController()
  const read = new RelayPlace({ url }).shards.read(name, aborter.signal)
  aborter.abort()
  await t.rejects(read, { name: 'AbortError' })
})
