import type { FastifyServerOptions } from 'fastify'
import t from 'tap'
import { optionsSchema, parseOptions } from '../../lib/options.ts'
import { scratch } from '../scratch.ts'
import { MemoryAdapter } from './storage/chunks/memory-adapter.ts'

t.test('nothing given: every option with a default has it', async t => {
  const options = parseOptions({}) as unknown as Record<string, unknown>
  for (const [name, { default: preset }] of Object.entries(
    optionsSchema.properties as Record<string, { default?: unknown }>
  )) {
    if (name !== 'limits') t.equal(options[name], preset, name)
  }
})

t.test('undefined means not given; what Fastify and fastify-cli hand along is left out', async t => {
  const circular: Record<string, unknown> = { write () {} }
  circular['self'] = circular
  const options = parseOptions({
    maxFrame: undefined, prefix: '/x', logger: circular, skipOverride: true, bundle: './a.tonk'
  })
  t.match(options, { bundle: './a.tonk', maxFrame: 64 * 1024 * 1024 })
  for (const name of ['prefix', 'logger', 'skipOverride']) t.notOk(name in options, name)
})

t.test('what a Fastify server is made with may come along, as `fastify start --options` has it', async t => {
  const own: Array<keyof FastifyServerOptions> = [
    'trustProxy', 'requestTimeout', 'keepAliveTimeout', 'connectionTimeout', 'frameworkErrors', 'routerOptions',
    'bodyLimit',
    'pluginTimeout', 'forceCloseConnections', 'loggerInstance', 'handlerTimeout', 'genReqId', 'ajv', 'rewriteUrl'
  ]
  t.same(parseOptions(Object.fromEntries(own.map(name => [name, 1]))), parseOptions({}))
})

t.test('an unknown option is refused by name, at every depth, with the nearest right one', async t => {
  for (const [given, message] of [
    [{ token: 'ann:…' }, 'option token: unknown name, did you mean tokens?'],
    [{ token: undefined }, 'option token: unknown name, did you mean tokens?'],
    [{ jwtKey: 'keys.json' }, 'option jwtKey: unknown name, did you mean jwtKeys?'],
    [{ authenticat: () => null }, 'option authenticat: unknown name, did you mean authenticate?'],
    [{ rule: 'rules.json' }, 'option rule: unknown name, did you mean rules?'],
    [{ limits: { conections: 5 } }, 'option limits.conections: unknown name, did you mean connections?'],
    [{ s3: { bucket: 'b', acessKeyId: 'k' } }, 'option s3.acessKeyId: unknown name, did you mean accessKeyId?'],
    [{ tunnel: { token: ['x'] } }, 'option tunnel.token: unknown name, did you mean tokens?'],
    [{ tunnel: { allowAnonymus: false } }, 'option tunnel.allowAnonymus: unknown name, did you mean allowAnonymous?'],
    [{ webhooks: [{ url: 'https://x', secret: 'x'.repeat(32), event: [] }] }, 'option webhooks.0.event: unknown ' +
      'name, did you mean events?']
  ] as const) t.throws(() => parseOptions(given), { code: 'RELAY_BAD_OPTION', message }, JSON.stringify(given))
})

t.test('in files, too', async t => {
  const webhookFile = `${await scratch(t, { hooks: '[{ "url": "https://x", "secrets": "0123456789abcdef" }]' })}/hooks`
  t.throws(() => parseOptions({ webhookFile }), {
    code: 'RELAY_BAD_OPTION', message: 'option webhookFile: 0.secrets: unknown name, did you mean secret?'
  })
})

t.test('s3 gets its default region', async t => {
  const given = { s3: { bucket: 'b', endpoint: undefined } }
  t.match(parseOptions(given).s3, { bucket: 'b', region: 'eu-north-1', endpoint: undefined })
  t.notOk('region' in given.s3, 'what was given is left as it is')
})

t.test('documents may be in a storage adapter, alone or with a folder for the rest', async t => {
  class Adapter extends MemoryAdapter {} // methods that are inherited count
  const adapter = new Adapter()
  t.match(parseOptions({ storage: './data' }), { storage: './data', adapter: undefined })
  t.equal(parseOptions({ storage: adapter }).adapter, adapter, 'not a copy')
  t.equal(parseOptions({ storage: adapter }).storage, 'automerge-repo-data')
  t.match(parseOptions({ storage: { adapter } }), { storage: 'automerge-repo-data', adapter })
  t.match(parseOptions({ storage: { adapter, folder: './rest' } }), { storage: './rest', adapter })
  for (const [storage, message] of [
    [{}, 'option storage: must be a folder or a storage adapter of automerge-repo, with a method load()'],
    [[], 'option storage: must be a folder or a storage adapter of automerge-repo, with a method load()'],
    [{ load () {}, save () {}, remove () {}, loadRange () {} }, /^option storage: .* with a method removeRange\(\)$/],
    [{ adapter: undefined }, /^option storage.adapter: must be .* with a method load\(\)$/],
    [{ adapter: './data' }, /^option storage.adapter: must be .* with a method load\(\)$/],
    [{ adapter, folders: '' }, 'option storage.folders: unknown name, did you mean folder?'],
    [{ adapter, folder: '' }, /^option storage: /],
    [{ adapter, folder: 7 }, /^option storage: must be string/],
    [7, /^option storage: must be string/],
    [null, /^option storage: must be string/]
  ] as const) t.throws(() => parseOptions({ storage }), { code: 'RELAY_BAD_OPTION', message }, JSON.stringify(storage))
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
