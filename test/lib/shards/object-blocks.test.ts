import t, { type Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { FolderObjects } from '../../../lib/objects/folder-objects.ts'
import type { ObjectStore } from '../../../lib/objects/object-store.ts'
import { S3Objects } from '../../../lib/objects/s3-objects.ts'
import { blockName } from '../../../lib/shards/block-name.ts'
import { allBlocks } from '../../../lib/shards/block-store.ts'
import { ObjectBlocks } from '../../../lib/shards/object-blocks.ts'
import { Room } from '../../../lib/shards/room.ts'
import { scratch } from '../../scratch.ts'

const { TEST_S3_ENDPOINT: endpoint, AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } =
  process.env

async function promises (t: Test, objects: ObjectStore): Promise<void> {
  const store = new ObjectBlocks({ objects, prefix: 'vault/shards/', trash: () => 'vault/trash/0/' })
  const blocks = Array.from({ length: 7 }, (_, at) => randomBytes(at * 1000))
  const names = blocks.map(blockName)
  await Promise.all(blocks.map(async (bytes, at) => { await store.put(names[at]!, bytes) }))
  await store.put(names[1]!, blocks[1]!) // the same again
  for (const [at, bytes] of blocks.entries()) t.ok(bytes.equals(await store.read(names[at]!)))
  const absent = 'ab'.repeat(32)
  await t.rejects(store.read(absent), { code: 'RELAY_SHARD_NOT_FOUND' })
  t.strictSame(await store.missing([names[0]!, absent]), [absent])
  t.strictSame(
    await new ObjectBlocks({ objects, prefix: 'vault/shards/' }).missing([names[2]!, absent]),
    [absent],
    'and in another process'
  )
  t.strictSame([...await store.verify([names[0]!, absent])], [[names[0]!, 'whole'], [absent, 'missing']])
  await t.rejects(store.put(absent, blocks[0]!), { code: 'RELAY_SHARD_INVALID' })
  await t.rejects(store.put('../../etc/passwd', blocks[0]!), { code: 'RELAY_SHARD_INVALID' })
  await t.rejects(store.read('x'), { code: 'RELAY_SHARD_INVALID' })

  const sorted = [...names].sort()
  const listed: string[] = []
  for await (const { name } of allBlocks(store)) listed.push(name)
  t.strictSame(listed, sorted)
  t.strictSame((await store.list({ limit: 2, after: sorted[1] })).map(({ name }) => name), sorted.slice(2, 4))
  await store.remove(names[3]!)
  await store.remove(names[3]!)
  await t.rejects(store.read(names[3]!), { code: 'RELAY_SHARD_NOT_FOUND' })
  t.ok(await objects.head(`vault/trash/0/${names[3]!}`), 'it is in the trash')
}

t.test('blocks in a folder', async t => {
  const folder = await scratch(t)
  const objects = new FolderObjects({ folder, scratch: path.join(folder, 'vault', 'tmp') })
  await objects.check('vault/')
  await promises(t, objects)
})

t.test('blocks in S3', {
  skip: endpoint === undefined && 'needs TEST_S3_ENDPOINT; `.ci/s3-server run npm test` brings a server'
}, async t => {
  const options = { region: 'eu-north-1', endpoint: endpoint!, accessKeyId, secretAccessKey }
  const bucket = `blocks-${randomBytes(4).toString('hex')}`
  const client = new S3Client({
    region: options.region, endpoint: endpoint!, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey }
  })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  const objects = new S3Objects({ bucket, ...options })
  t.teardown(async () => { await objects.close() })
  await promises(t, objects)
})

t.test('restic 3370, 816: what is damaged is missing, whatever an index says', async t => {
  const folder = await scratch(t)
  const objects = new FolderObjects({ folder, scratch: path.join(folder, 'tmp') })
  await objects.check('vault/')
  const store = new ObjectBlocks({ objects, prefix: 'vault/' })
  const bytes = randomBytes(100)
  const name = blockName(bytes)
  await store.put(name, bytes)
  const file = path.join(folder, 'vault', name.slice(0, 2), name)
  t.ok(bytes.equals(await readFile(file)))
  await writeFile(file, bytes.map((byte, at) => at === 9 ? byte ^ 1 : byte))
  t.strictSame(await store.missing([name]), [name])
  t.strictSame([...(await store.verify([name])).values()], ['damaged'])
  await store.put(name, bytes)
  t.strictSame(await store.missing([name]), [], 'it can be put again')
})

t.test('restic 3400, 3486: what is reserved is never filled, and removing needs no room', async t => {
  const folder = await scratch(t)
  const objects = new FolderObjects({ folder, scratch: path.join(folder, 'tmp') })
  await objects.check('vault/')
  const room = new Room({ quota: 1_000 })
  const store = new ObjectBlocks({ objects, prefix: 'vault/', room })
  const [first, second] = [randomBytes(700), randomBytes(400)]
  await store.put(blockName(first), first)
  await t.rejects(store.put(blockName(second), second), {
    code: 'RELAY_SHARDS_FULL', message: 'there is room for 300 bytes and not for 400'
  })
  t.strictSame((await readdir(path.join(folder, 'vault'))).length, 1, 'nothing is left of it')
  await store.remove(blockName(first))
  await store.put(blockName(second), second)
  t.equal(room.used, 400)
  const full = new Room({ folder, reserve: 1 })
  t.equal(await full.free(), 0)
  await t.rejects(full.take(1), { code: 'RELAY_SHARDS_FULL' })
})
