import t from 'tap'
import { optionInfos, parseOptions } from '../../lib/options.ts'

t.test('nothing given: every option with a default has it', async t => {
  const options = parseOptions({}) as unknown as Record<string, unknown>
  for (const { name, default: preset } of optionInfos()) t.equal(options[name], preset, name)
})

t.test('undefined means not given, unknown keys are left alone', async t => {
  const circular: Record<string, unknown> = { write () {} }
  circular['self'] = circular
  const options = parseOptions({ maxFrame: undefined, prefix: '/x', logger: circular, bundle: './a.tonk' })
  t.match(options, { bundle: './a.tonk', maxFrame: 64 * 1024 * 1024 })
  t.notOk('prefix' in options)
})

t.test('s3 gets its default region', async t => {
  const given = { s3: { bucket: 'b', endpoint: undefined } }
  t.match(parseOptions(given).s3, { bucket: 'b', region: 'eu-north-1', endpoint: undefined })
  t.notOk('region' in given.s3, 'what was given is left as it is')
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
