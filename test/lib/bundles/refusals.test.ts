import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { Readable } from 'node:stream'
import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { documentPath } from '../../../lib/bundles/file/entry-path.ts'
import { RelayError } from '../../../lib/errors.ts'
import type { RelayOptions } from '../../../lib/options.ts'
import { scratch } from '../../scratch.ts'
import { entriesOf, filesIn, load, manifestOf, openMerged, relay, sample, save, upload } from './relay.ts'
import { FolderBundles, newId } from './stores/folder.ts'
import { oddZip, zip, type Entries, type OddEntry } from './zip.ts'

const rootId = newId()
const root = save({ children: [] })
const manifest = { name: 'manifest.json', bytes: manifestOf(rootId) }
const goodEntries = entriesOf(rootId, { [rootId]: root })
const rootEntry: OddEntry = { name: documentPath(rootId), bytes: root }

const flip = (bytes: Uint8Array, at: number) => {
  const flipped = Buffer.from(bytes)
  flipped[at]! ^= 0xff
  return flipped
}

type Refusal = [
  what: string, bytes: Uint8Array | Promise<Uint8Array>, reason: RegExp, code?: string, options?: RelayOptions
]

const withEntry = (name: string, bytes: Uint8Array = root): Promise<Buffer> =>
  Promise.resolve(oddZip([manifest, rootEntry, { name, bytes }]))
const withDocument = (bytes: Uint8Array) => withEntry(documentPath(newId()), bytes)
const withManifest = (bytes: Uint8Array) => zip([['manifest.json', bytes]])
const large = 'RELAY_BUNDLE_TOO_LARGE'

const refusals: Refusal[] = [
  ['nothing', Buffer.alloc(0), /^Invalid bundle data$/],
  ['noise', randomBytes(10_000), /not a zip file/],
  ['a truncated ZIP', zip(goodEntries).then(bytes => bytes.subarray(0, -30)), /not a zip file/],
  ['no manifest', zip(goodEntries.slice(1)), /^Invalid bundle: manifest\.json not found$/],
  ['no entry at all', oddZip([]), /^Invalid bundle: manifest\.json not found$/],
  ['a manifest in a folder', zip([['a/manifest.json', manifest.bytes]]), /manifest\.json not found/],
  ['no rootId', withManifest(Buffer.from('{"manifestVersion":1}')), /^Invalid bundle: rootId not found in manifest$/],
  [
    'another version', withManifest(manifestOf(rootId, { manifestVersion: 2 })),
    /Unsupported manifest version: 2\. Expected version 1\./
  ],
  ['a manifest without networkUris', withManifest(manifestOf(rootId, { networkUris: undefined })), /networkUris/],
  [
    'a huge manifest', withManifest(manifestOf(rootId, { xNotes: 'x'.repeat(1024 * 1024) })),
    /manifest\.json has \d+ bytes/, large
  ],
  [
    'a huge manifest that says it is small', oddZip([{ ...manifest, raw: deflateRawSync(Buffer.alloc(1e7)) }]),
    /larger than declared/
  ],

  ['an absolute path', withEntry('/etc/passwd'), /"\/etc\/passwd"/],
  ['a path with ..', withEntry('storage/../../evil'), /"storage\/\.\.\/\.\.\/evil"/],
  ['a path with a backslash', withEntry('storage\\3X\\rest\\snapshot\\a'), /is not a path of a bundle/],
  ['a path with NUL', withEntry('storage/3X/a\0/snapshot/a'), /\\u0000/],
  ['a long path', withEntry(`storage/${'x'.repeat(300)}`), /too long a name/],
  ['another file', withEntry('README.md'), /"README\.md"/],
  [
    'an id that fails its checksum', withEntry('storage/3X/4Q62EiCtGYZ5W1RsLMSZV8WPRY/snapshot/a'),
    /is not a document id/
  ],
  ['an entry twice', oddZip([manifest, rootEntry, rootEntry]), /is in it twice/],
  [
    'an entry outside the directory’s truth',
    oddZip([manifest, { ...rootEntry, localName: 'x'.repeat(rootEntry.name.length) }]), /not what the directory says/
  ],

  ['text for a document', withDocument(Buffer.from('hello')), /document \w+: not Automerge data/],
  ['an empty document', withDocument(Buffer.alloc(0)), /document \w+/],
  [
    'a document with the right magic only',
    withDocument(Buffer.concat([Buffer.from([0x85, 0x6f, 0x4a, 0x83]), randomBytes(50)])), /document \w+/
  ],
  [
    'a document with a flipped bit', withDocument(flip(root, root.length - 3)),
    /document \w+: not an Automerge document/
  ],
  ['a document cut short', withDocument(root.subarray(0, -1)), /document \w+: not Automerge data: cut short/],
  ['a document and more', withDocument(Buffer.concat([root, Buffer.from('more')])), /document \w+/],

  [
    'a bomb of zeros',
    oddZip([manifest, { name: documentPath(newId()), raw: deflateRawSync(Buffer.alloc(1e8)), size: 1e8 }]),
    /has 100000000 bytes, at most/, large
  ],
  [
    'a bomb of zeros that lies',
    oddZip([manifest, { name: documentPath(newId()), raw: deflateRawSync(Buffer.alloc(1e8)), size: 1e6 }]),
    /larger than declared/
  ],
  [
    'a bomb of overlapping entries',
    oddZip([manifest, rootEntry, { ...rootEntry, name: documentPath(newId()), offset: 0 }]),
    /overlaps|not where|not what|cut short/
  ],
  [
    'too many entries',
    oddZip([manifest, ...Array.from({ length: 40 }, () => ({ name: documentPath(newId()), bytes: root }))]),
    /41 entries, at most 40/, large, { maxEntries: 40 }
  ],
  [
    'too many bytes inflated',
    oddZip([
      manifest,
      ...Array.from({ length: 6 }, () => ({ name: documentPath(newId()), bytes: save({ noise: randomBytes(1000) }) }))
    ]),
    /more than 5000 bytes when inflated/, large, { maxInflated: 5000 }
  ],
  [
    'too large a document', withDocument(save({ noise: randomBytes(4000) })), /has \d+ bytes, at most 3000/, large,
    { maxDocument: 3000 }
  ],
  [
    'too large a document in parts',
    oddZip([
      manifest,
      ...['snapshot/a', 'incremental/b'].map(
        at => ({ name: rootEntry.name.replace(/snapshot.*/, at), bytes: save({ noise: randomBytes(2000) }) })
      )
    ]),
    /document \w+ has \d+ bytes, at most 3000/, large, { maxDocument: 3000 }
  ],
  ['too large an upload', zip(goodEntries), /at most 200 bytes/, large, { maxUpload: 200 }],

  ['an encrypted entry', oddZip([manifest, { ...rootEntry, flags: 1 }]), /encrypted/],
  ['another compression', oddZip([manifest, { ...rootEntry, method: 14 }]), /compression method 14/],
  ['a CRC-32 that is wrong', oddZip([manifest, { ...rootEntry, crc: 1 }]), /CRC-32/],
  ['a size too small', oddZip([manifest, { ...rootEntry, size: root.length - 1 }]), /larger than declared/],
  ['a size too large', oddZip([manifest, { ...rootEntry, size: root.length + 1 }]), /smaller than declared/],
  ['garbage before', oddZip([manifest, rootEntry], { prefix: randomBytes(100), blind: true }), /signature/],
  ['garbage behind', oddZip([manifest, rootEntry], { suffix: randomBytes(100) }), /comment/]
]

t.test('what is refused is refused with its reason, and leaves nothing behind', async t => {
  const folder = await scratch(t)
  for (const [what, bytes, reason, code = 'RELAY_BUNDLE_INVALID', options = {}] of refusals) {
    const { bundles, sync, close } = await relay(t, { ...options, storage: folder })
    await openMerged(bundles)
    const before = await filesIn(folder)
    await t.rejects(bundles.receive(upload(await bytes)), { code, message: reason }, what)
    t.strictSame(await filesIn(folder), before, `${what}: no file is left`)
    t.equal(await sync.snapshot(rootId), null, `${what}: no document`)
    await close()
  }
})

t.test('what is odd but sound is taken', async t => {
  const folder = await scratch(t)
  const kinds: Record<string, Buffer> = {
    'folders, as JSZip writes them': await zip([
      ['storage/'], [`storage/${rootId.slice(0, 2)}/`], ...goodEntries
    ] as Entries),
    stored: await zip(goodEntries, { compress: false }),
    'data descriptors': await zip(goodEntries, { streamed: true }),
    zip64: await zip(goodEntries, { forceZip64Format: true, streamed: true }),
    'a comment': await zip(goodEntries, { comment: 'of the file', fileComment: 'of an entry' }),
    'the manifest last': await zip([...goodEntries].reverse()),
    'a prefix that is counted': oddZip([manifest, rootEntry], { prefix: randomBytes(100) }),
    'the storage’s own id and sync states': await zip([
      ...goodEntries, ['storage/st/orage-adapter-id', Buffer.from('x')],
      [rootEntry.name.replace(/snapshot.*/, 'sync-state/x'), Buffer.from('x')]
    ])
  }
  for (const [what, bytes] of Object.entries(kinds)) {
    const { bundles, sync, close } = await relay(t, { storage: folder })
    await openMerged(bundles)
    t.strictSame(await bundles.receive(upload(bytes)), { id: rootId }, what)
    t.strictSame(load((await sync.snapshot(rootId))!), { children: [] }, what)
    await close()
  }
})

t.test('a document in several chunks', async t => {
  const { bundles, sync } = await relay(t)
  await openMerged(bundles)
  const first = Automerge.from<Record<string, number>>({ a: 1 })
  const second = Automerge.change(Automerge.clone(first), document => { document.b = 2 })
  const since = Automerge.saveSince(second, Automerge.getHeads(first))
  const at = rootEntry.name.replace(/snapshot.*/, '')
  await bundles.receive(
    upload(
      await zip([
        ['manifest.json', manifest.bytes], [`${at}incremental/b`, since], [`${at}snapshot/a`, Automerge.save(first)]
      ])
    )
  )
  t.strictSame(load((await sync.snapshot(rootId))!), { a: 1, b: 2 })
})

t.test('a history that contradicts the stored one is refused before anything is stored', async t => {
  const { bundles, sync, folder } = await relay(t)
  await openMerged(bundles)
  const actor = 'aa'.repeat(16)
  const history = (value: number) => Automerge.save(Automerge.from({ value }, { actor }))
  await sync.merge(rootId, [history(1)])
  const before = await filesIn(folder)
  await t.rejects(
    bundles.receive(upload(await zip(entriesOf(rootId, { [rootId]: history(2) })))),
    { code: 'RELAY_BUNDLE_INVALID', message: rootId }
  )
  t.strictSame(await filesIn(folder), before)
  t.strictSame(load((await sync.snapshot(rootId))!), { value: 1 })
})

t.test('an upload that breaks off, and one announced too large', async t => {
  const { bundles, folder } = await relay(t)
  await openMerged(bundles)
  const before = await filesIn(folder)
  const { bytes } = await sample()
  const broken = Readable.from((async function * () {
    yield bytes
    throw new Error('the line is dead')
  }()), { objectMode: false })
  await t.rejects(bundles.receive(broken), { code: 'RELAY_BAD_REQUEST', message: /the line is dead/ })
  await t.rejects(bundles.receive(upload(bytes), 1e9), { code: large })
  t.strictSame(await filesIn(folder), before)
})

t.test('a store that fails: nothing is merged', async t => {
  const folder = await scratch(t)
  class Failing extends FolderBundles {
    override async put (): Promise<void> { throw new RelayError('RELAY_STORE_UNAVAILABLE', 'no') }
  }
  const { bundles } = await relay(t, { storage: folder }, { store: new Failing({ folder }) })
  await openMerged(bundles)
  const before = await filesIn(folder)
  await t.rejects(bundles.receive(upload((await sample()).bytes)), { code: 'RELAY_STORE_UNAVAILABLE' })
  t.strictSame(await filesIn(folder), before)
})
