import { createHash, randomBytes } from 'node:crypto'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import t from 'tap'
import { documentPath } from '../../lib/bundles/file/entry-path.ts'
import { bundleKey } from '../../lib/bundles/stores/key.ts'
import { pack } from '../../lib/bundles/file/pack.ts'
import { newDocumentId, type DocumentId } from '../../lib/ids.ts'
import { scratch } from '../scratch.ts'
import { run, urlIn, type Exit } from './executable.ts'

const { TEST_S3_ENDPOINT: endpoint, AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } =
  process.env
const skip = endpoint === undefined && 'needs TEST_S3_ENDPOINT; `.ci/s3-server run npm test` brings a server'

const TOKEN = randomBytes(32).toString('hex')
const headers = { authorization: `Bearer ${TOKEN}` }
const tokens = `ann:${createHash('sha256').update(TOKEN).digest('hex')}`

t.test('bundles in S3: backed up, restored into another bucket with their owners, counted and checked', {
  skip
}, async t => {
  const s3 = new S3Client({
    region: 'eu-north-1', endpoint: endpoint!, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey }
  })
  t.teardown(() => { s3.destroy() })
  const [from, to] = await Promise.all([bucket(s3), bucket(s3)])
  const [storage, kept] = [await scratch(t), await scratch(t)]
  const restored = path.join(kept, 'restored')
  const place = (folder: string, bucket: string): string[] =>
    ['--storage', folder, '--s3-bucket', bucket, '--s3-endpoint', endpoint!]
  const command = async (name: string, folder: string, bucket: string, ...argv: string[]): Promise<Exit> =>
    await run(t, [name, ...argv, ...place(folder, bucket)]).exit

  const url = urlIn(await run(t, ['0', '--tokens', tokens, ...place(storage, from)]).ready())
  const [id, bytes] = await bundle()
  t.equal((await fetch(`${url}/api/bundles`, { method: 'POST', headers, body: bytes })).status, 200)
  const backup = path.join(kept, 'backup.tar')
  t.match(await command('backup', storage, from, backup), { code: 0, stdout: /^\d documents and 1 bundles, / })
  t.match(JSON.parse((await command('stat', storage, from, '--json')).stdout), {
    bundles: 1, bundleBytes: bytes.length
  })

  t.match(await command('restore', restored, from, backup), { code: 1, stderr: /there are bundles already/ })
  t.match(await command('restore', restored, to, backup), { code: 0, stdout: /files, as they were at/ })
  t.match(await command('check', restored, to), { code: 0, stdout: /and 1 bundles looked at, 0 findings/ })
  const relay = run(t, ['0', '--tokens', tokens, ...place(restored, to)])
  const again = urlIn(await relay.ready())
  const served = await fetch(`${again}/api/bundles/${id}`, { headers })
  t.same(Buffer.from(await served.arrayBuffer()), bytes)
  t.equal((await fetch(`${again}/api/bundles/${id}`, { method: 'DELETE', headers })).status, 204, 'it is still Ann’s')

  relay.child.kill('SIGTERM')
  await relay.exit
  const [broken] = await bundle()
  await s3.send(new PutObjectCommand({ Bucket: to, Key: bundleKey(broken), Body: 'no bundle' }))
  t.match(
    await command('check', restored, to, '--repair'),
    { code: 2, stdout: new RegExp(`^bundle ${broken}\\.tonk: Invalid bundle[^(]*\n`) },
    'what is not a file is not set aside'
  )
})

async function bucket (s3: S3Client): Promise<string> {
  const Bucket = `relay-${randomBytes(6).toString('hex')}`
  await s3.send(new CreateBucketCommand({ Bucket }))
  return Bucket
}

async function bundle (): Promise<[DocumentId, Buffer]> {
  const id = newDocumentId()
  const manifest = { manifestVersion: 1, version: { major: 1, minor: 0 }, rootId: id, entrypoints: [], networkUris: [] }
  return [id, await pack([['manifest.json', Buffer.from(JSON.stringify(manifest))], [
    documentPath(id), Buffer.from(Automerge.save(Automerge.from({ n: 1 })))
  ]])]
}
