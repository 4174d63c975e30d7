import t from 'tap'
import { documentPath, parseEntryPath } from '../../../../lib/bundles/file/entry-path.ts'
import type { DocumentId } from '../../../../lib/ids.ts'
import { newId } from '../stores/folder.ts'

const id = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ' as DocumentId
const at = 'storage/3X/4Q62EiCtGYZ5W1RsLMSZV8WPRZ'

t.test('chunks of documents', async t => {
  t.strictSame(parseEntryPath(`${at}/snapshot/bundle_export`), { id, kind: 'snapshot', name: 'bundle_export' })
  const name = 'a'.repeat(64)
  t.strictSame(parseEntryPath(`${at}/incremental/${name}`), { id, kind: 'incremental', name })
  for (let n = 0; n < 50; n++) {
    const id = newId()
    t.equal(parseEntryPath(documentPath(id))?.id, id)
  }
})

t.test('what nobody needs: folders, the storage’s id, sync states', async t => {
  for (const path of [
    'storage/', 'storage/3X/', `${at}/`, `${at}/snapshot/`, 'storage/st/orage-adapter-id',
    `${at}/sync-state/4f1c7b1e-3a3f-4f4b-9f53-0f2a8a7a1c11`
  ]) t.equal(parseEntryPath(path), null, path)
})

t.test('anything else is refused by name', async t => {
  for (const path of [
    '', '/', 'a', 'manifest.json/', '/manifest.json', '../storage/', 'README.md', '__MACOSX/', 'storage', 'Storage/',
    `/${at}/snapshot/a`, `C:/${at}/snapshot/a`,
    `./${at}/snapshot/a`, `${at}/../snapshot/a`, `${at}/snapshot/..`, `${at}/snapshot/../`, `${at}/snapshot/.`,
    `${at}/snapshot/.hidden`,
    `${at}\\snapshot\\a`, `${at}/snapshot/a\\b`, `${at}/snapshot/a\0b`, `${at}/snapshot/`.replaceAll('/', '\\'),
    `${at}/snapshot//`, `${at}//snapshot/a`,
    `${at}/snapshot`, `${at}/snapshot/a/b`, `${at}/other/a`, `${at}/Snapshot/a`, `${at}/snapshot/${'a'.repeat(129)}`,
    `${at}/snapshot/é`,
    'storage/3X4/Q62EiCtGYZ5W1RsLMSZV8WPRZ/snapshot/a', 'storage/3/X4Q62EiCtGYZ5W1RsLMSZV8WPRZ/snapshot/a',
    'storage/st/orage-adapter-id/a',
    'storage/root.automerge', 'storage/st/orage-adapter-id/snapshot/a'
  ]) t.throws(() => parseEntryPath(path), { code: 'RELAY_BUNDLE_INVALID', message: JSON.stringify(path) }, path)
})

t.test('ids that fail the checksum', async t => {
  for (const path of [
    `${at.slice(0, -1)}Y/snapshot/a`, `${at.slice(0, -1)}/snapshot/a`, `${at}x/snapshot/a`,
    'storage/__/proto__/snapshot/a', 'storage/0O/Il/snapshot/a'
  ]) t.throws(() => parseEntryPath(path), { code: 'RELAY_BUNDLE_INVALID', message: 'is not a document id' }, path)
})

t.test('a long name is cut in the message', async t => {
  t.throws(
    () => parseEntryPath('x'.repeat(70_000)), { message: /^Invalid bundle: entry "x{200}…" is not a path of a bundle$/ }
  )
})
