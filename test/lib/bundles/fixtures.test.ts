import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { fixtures, headsOf, openMerged, readBundle, readLive, relay, upload } from './relay.ts'
import { namesIn } from './zip.ts'
import { scratch } from '../../scratch.ts'

const real = await fixtures()

const skip = real.length === 0 && 'the real bundles are not here: ../shared/fixtures/tonk'

for (const [name, bytes] of real) {
  t.test(`${name}: uploaded, merged, slim, live, and after a restart`, async t => {
    const { bundles, sync, restart } = await relay(t)
    await openMerged(bundles)
    const original = await readBundle(bytes)
    const { rootId } = original.bundle
    t.strictSame(await bundles.receive(upload(bytes), bytes.length), { id: rootId })

    const holdsAll = async (documents: Map<string, Uint8Array>) => {
      t.strictSame([...documents.keys()].sort(), [...original.documents.keys()].sort())
      for (const [id, document] of original.documents) t.strictSame(headsOf(documents.get(id)!), headsOf(document), id)
    }
    const merged = new Map<string, Uint8Array>()
    for (const id of original.documents.keys()) merged.set(id, (await sync.snapshot(id))!)
    await holdsAll(merged)

    const slim = await bundles.slim(rootId)
    t.strictSame(
      namesIn(slim.bytes), ['manifest.json', `storage/${rootId.slice(0, 2)}/${rootId.slice(2)}/snapshot/bundle_export`]
    )
    t.ok(slim.bytes.length < 10_000, `${slim.bytes.length} bytes`)
    const opened = await readBundle(slim.bytes)
    t.ok(Buffer.compare(opened.bundle.manifestBytes, original.bundle.manifestBytes) === 0)
    t.strictSame(headsOf(opened.documents.get(rootId)!), headsOf(original.documents.get(rootId)!))

    await holdsAll((await readLive(bundles, rootId)).documents)

    const again = await restart()
    await openMerged(again.bundles)
    t.equal((await again.bundles.slim(rootId)).etag, slim.etag)
    await holdsAll((await readLive(again.bundles, rootId)).documents)
    const stored = await again.bundles.download(rootId)
    t.ok((await buffer(stored.stream())).equals(bytes))
    await stored.close()
  })
}

t.test('all documents of the real bundles are reached from their roots', { skip }, async t => {
  const folder = await scratch(t)
  for (const [name, bytes] of real) {
    const { bundles, close } = await relay(t, { storage: path.join(folder, name) })
    await openMerged(bundles)
    const { bundle: { rootId }, documents } = await readBundle(bytes)
    await bundles.receive(upload(bytes))
    await bundles.receive(upload((await bundles.slim(rootId)).bytes)) // the stored bundle has only the root now
    t.strictSame([...(await readLive(bundles, rootId)).documents.keys()].sort(), [...documents.keys()].sort(), name)
    await close()
  }
})
