import t from 'tap'
import { optionInfos, parseOptions } from '../../lib/options.ts'

t.test('nothing given: every option with a default has it', async t => {
  const options = parseOptions({}) as unknown as Record<string, unknown>
  for (const { name, default: preset } of optionInfos()) t.equal(options[name], preset, name)
})

t.test('undefined means not given, unknown keys are left alone', async t => {
  const options = parseOptions({ maxFrame: undefined, prefix: '/x', logger: true, bundle: './a.tonk' })
  t.match(options, { bundle: './a.tonk', maxFrame: 64 * 1024 * 1024 })
  t.notOk('prefix' in options)
})

t.test('s3 gets its default region', async t => {
  t.strictSame(parseOptions({ s3: { bucket: 'b' } }).s3, { bucket: 'b', region: 'eu-north-1' })
})

t.test('a bad option is refused by name', async t => {
  for (const [given, name] of [
    [{ maxFrame: 0 }, 'maxFrame'], [{ maxFrame: '12' }, 'maxFrame'], [{ storage: '' }, 'storage'],
    [{ s3: {} }, 's3'], [{ s3: { bucket: 'b', endpoint: 'localhost' } }, 's3.endpoint'],
    [{ s3: { bucket: 'b', accessKeyId: 'a' } }, 's3'], [{ store: {} }, 'store'], [{ store: null }, 'store'],
    [{ bundles: 'x', s3: { bucket: 'b' } }, 'store, s3, bundles']
  ] as const) {
    t.throws(() => parseOptions(given), { code: 'RELAY_BAD_OPTION', message: new RegExp(`^option ${name}`) }, name)
  }
})
