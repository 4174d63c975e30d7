import t from 'tap'
import { parseManifest } from '../../../../lib/bundles/file/manifest.ts'

const good = {
  manifestVersion: 1,
  version: { major: 1, minor: 0 },
  rootId: '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ',
  entrypoints: ['app'],
  networkUris: ['http://localhost:8081'],
  xNotes: null,
  xVendor: { xTonk: { createdAt: '2025-10-31T18:17:09Z', exportedFrom: 'tonk-core v0.1.0' } }
}
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))
const without = (key: string) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== key))

t.test('what Tonk writes, what it leaves out, and what it may add', async t => {
  t.strictSame(parseManifest(bytes(good)), good)
  for (const value of [
    { ...good, xNotes: 'notes' }, { ...good, xVendor: null }, { ...good, xVendor: 7 }, {
      ...good, networkUris: [], entrypoints: []
    },
    { ...good, unknown: { deep: true } }, without('xNotes'), without('xVendor')
  ]) t.strictSame(parseManifest(bytes(value)), value)
})

t.test('every refusal says what is wrong', async t => {
  const cases: Array<[unknown, RegExp]> = [
    [without('rootId'), /^Invalid bundle: rootId not found in manifest$/],
    [{ ...good, rootId: '' }, /^Invalid bundle: rootId not found in manifest$/],
    [{ ...good, rootId: null }, /^Invalid bundle: rootId not found in manifest$/],
    [{ ...good, rootId: 123 }, /rootId must be string/],
    [{ ...good, rootId: {} }, /rootId must be string/],
    [{ ...good, rootId: '../../evil' }, /rootId "\.\.\/\.\.\/evil" is not a document id/],
    [{ ...good, rootId: 'a"\r\nSet-Cookie: x' }, /rootId "a\\"\\r\\nSet-Cookie: x" is not a document id/],
    [{ ...good, rootId: '3X4Q62EiCtGYZ5W1RsLMSZV8WPRY' }, /not a document id/],
    [{ ...good, rootId: 'automerge:3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ' }, /not a document id/],
    [{ ...good, manifestVersion: 2 }, /Unsupported manifest version: 2\. Expected version 1\./],
    [{ ...good, manifestVersion: 0 }, /Unsupported manifest version: 0\. Expected version 1\./],
    [{ ...good, manifestVersion: '1' }, /manifestVersion must be integer/],
    [without('manifestVersion'), /manifestVersion/],
    [without('version'), /required property 'version'/],
    [{ ...good, version: '1.0' }, /version must be object/],
    [{ ...good, version: { major: 1 } }, /version must have required property 'minor'/],
    [{ ...good, version: { major: 1.5, minor: 0 } }, /version\.major must be integer/],
    [{ ...good, version: { major: 1, minor: -1 } }, /version\.minor/],
    [without('entrypoints'), /required property 'entrypoints'/],
    [{ ...good, entrypoints: 'app' }, /entrypoints must be array/],
    [{ ...good, entrypoints: ['app', 7] }, /entrypoints\.1 must be string/],
    [without('networkUris'), /required property 'networkUris'/],
    [{ ...good, networkUris: [null] }, /networkUris\.0 must be string/],
    [{ ...good, xNotes: 7 }, /xNotes/],
    [null, /rootId not found/],
    [[], /rootId not found/],
    ['text', /rootId not found/],
    [7, /rootId not found/]
  ]
  for (const [value, reason] of cases) {
    t.throws(
      () => parseManifest(bytes(value)), { code: 'RELAY_BUNDLE_INVALID', message: reason }, JSON.stringify(value)
    )
  }
})

t.test('bytes that are not JSON in UTF-8', async t => {
  for (const raw of [
    Buffer.alloc(0), Buffer.from('{'), Buffer.from('{}x'), Buffer.concat([
      Buffer.from('\ufeff'), bytes(good)
    ]), Buffer.from(JSON.stringify(good), 'utf16le'),
    Buffer.from(JSON.stringify({ ...good, xNotes: 'é' }), 'latin1')
  ]) {
    t.throws(
      () => parseManifest(raw), { code: 'RELAY_BUNDLE_INVALID', message: /manifest\.json is not JSON/ },
      raw.toString('latin1')
    )
  }
})
