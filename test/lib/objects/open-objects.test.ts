import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import t from 'tap'
import { openLocalObjects, openObjects } from '../../../lib/objects/open-objects.ts'
import { silent } from '../../../lib/log.ts'
import { parseOptions } from '../../../lib/options.ts'

const open = async (options: object) => await openObjects(parseOptions(options), silent)
const sdkLoaded = () => Object.keys(createRequire(import.meta.url).cache).some(file => file.includes('client-s3'))

t.test('objects are kept with the documents, or in their own folder', async t => {
  const folder = t.testdir()
  const [documents, own] = [path.join(folder, 'documents'), path.join(folder, 'own')]
  for (
    const [options, place] of [
      [{ storage: documents }, documents], [{ storage: documents, bundles: own }, own]
    ] as const
  ) {
    await (await open(options)).check('bundles/')
    t.strictSame(await readdir(place), ['bundles'])
  }
})

t.test('what is beside the documents is written in their scratch folder', async t => {
  const folder = t.testdir()
  await openLocalObjects(folder, silent).put('merged/x', Buffer.from('etag'))
  t.strictSame((await readdir(folder, { recursive: true })).sort(), ['merged', 'merged/x', 'tmp'])
})

t.test('the AWS SDK is loaded for S3 only', async t => {
  await open({ storage: t.testdir() })
  t.equal(sdkLoaded(), false)
  const objects = await open({ s3: { bucket: 'some-bucket' } })
  t.equal(sdkLoaded(), true)
  await objects.close()
})
