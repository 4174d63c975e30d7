import t from 'tap'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { perform as work } from '../../../lib/cli/perform.ts'
import { perform } from '../../../lib/vault/command/perform.ts'
import { scratch } from '../../scratch.ts'

const { TEST_S3_ENDPOINT: endpoint, AWS_REGION: region = 'eu-north-1' } = process.env

t.test('a folder and two buckets: all comes back on an empty machine without the folder', {
  skip: endpoint === undefined && 'needs TEST_S3_ENDPOINT; `.ci/s3-server run npm test` brings a server'
}, async t => {
  const root = await scratch(t, { here: null, data: null })
  const at = (name: string): string => path.join(root, name)
  const client = new S3Client({ endpoint, region, forcePathStyle: true })
  t.teardown(() => { client.destroy() })
  const buckets = [1, 2].map(n => `vault-${n}-${randomBytes(6).toString('hex')}`)
  for (const Bucket of buckets) await client.send(new CreateBucketCommand({ Bucket }))
  const inBuckets = buckets.map((bucket, n) => ({ id: `bucket-${n + 1}`, kind: 's3', bucket, endpoint, region }))
  await writeFile(at('places.json'), JSON.stringify([{ id: 'here', kind: 'folder', path: at('here') }, ...inBuckets]))
  const run = async (
    verb: string, words: string[], storage = 'data', own = {}
  ): Promise<{ code: number, text: string }> => {
    let text = ''
    const options = { storage: at(storage), vault: { placesFile: at('places.json'), reserve: 0 } }
    const does = verb === 'vault' ? perform : work
    return { code: await does({ verb, words, own }, options, printed => { text += printed }), text }
  }
  await writeFile(at('data/blank.tonk'), randomBytes(9_000_000))
  await run('vault', ['init'])
  t.match(await run('backup', ['vault']), { code: 0 })
  t.match(await run('vault', ['scrub']), { code: 0, text: /^9 shards read, 0 damaged, 0 missing/ })
  t.match(await run('vault', ['peers']), { code: 0 })

  await mkdir(at('new/vault'), { recursive: true })
  await writeFile(at('new/vault/key'), await readFile(at('data/vault/key')))
  await rm(at('here'), { recursive: true })
  await mkdir(at('here'))
  t.match(await run('restore', ['vault'], 'new'), { code: 0 })
  t.ok((await readFile(at('new/blank.tonk'))).equals(await readFile(at('data/blank.tonk'))))
  t.match(await run('vault', ['repair'], 'new', { now: true }), { code: 0, text: /1 repaired: 3 shards/ })
  t.equal((await readdir(at('here/vault/shards'), { recursive: true })).filter(name => name.length > 64).length, 3)
})
