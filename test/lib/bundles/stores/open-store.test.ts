import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import t from 'tap'
import { FolderStore } from '../../../../lib/bundles/stores/folder-store.ts'
import { openStore } from '../../../../lib/bundles/stores/open-store.ts'
import { silent } from '../../../../lib/log.ts'
import { parseOptions } from '../../../../lib/options.ts'

const open = async (options: object) => await openStore(parseOptions(options), silent)
const sdkLoaded = () => Object.keys(createRequire(import.meta.url).cache).some(file => file.includes('client-s3'))

t.test('the host’s own store is used and not owned', async t => {
  const store = new FolderStore({ folder: t.testdir() })
  t.strictSame(await open({ store }), { store, owned: false })
})

t.test('bundles are kept with the documents, or in their own folder', async t => {
  const folder = t.testdir()
  const [documents, own] = [path.join(folder, 'documents'), path.join(folder, 'own')]
  for (const [options, place] of [[{ storage: documents }, documents], [{ storage: documents, bundles: own }, own]] as const) {
    const { store, owned } = await open(options)
    t.equal(owned, true)
    await store.check()
    t.strictSame(await readdir(place), ['bundles'])
  }
})

t.test('the AWS SDK is loaded for S3 only', async t => {
  await open({ storage: t.testdir() })
  t.equal(sdkLoaded(), false)
  const { store, owned } = await open({ s3: { bucket: 'some-bucket' } })
  t.ok(owned)
  t.equal(sdkLoaded(), true)
  await store.close()
})
