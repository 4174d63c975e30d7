import t from 'tap'
import { Type } from 'typebox'
import { optionsSchema, parseOptions } from '../../../lib/options.ts'
import { collect, readValues, settings, settle } from '../../../lib/cli/settings.ts'
import { scratch } from '../../scratch.ts'

const by = (flag: string) => settings.find(setting => setting.flag === flag)

t.test('every option of the schema is a setting, with a flag and a variable of its own', async t => {
  const relay = settings.filter(({ group }) => group === 'relay').map(({ name }) => name)
  t.same(relay, Object.keys(optionsSchema.properties).filter(name => name !== 's3' && name !== 'limits'))
  t.equal(new Set(settings.map(({ flag }) => flag)).size, settings.length)
  t.equal(new Set(settings.map(({ variable }) => variable)).size, settings.length)
  t.match(by('max-upload'), { name: 'maxUpload', variable: 'RELAY_MAX_UPLOAD', type: 'integer' })
})

t.test('the names that Tonk’s relays know keep their names', async t => {
  t.equal(by('port')?.variable, 'PORT')
  t.equal(by('host')?.variable, 'HOST')
  t.equal(by('s3-bucket')?.variable, 'S3_BUCKET_NAME')
  t.equal(by('s3-region')?.variable, 'AWS_REGION')
  t.equal(by('s3-endpoint')?.variable, 'AWS_ENDPOINT_URL_S3')
})

t.test('what a part of the relay says of its options makes flags and variables', async t => {
  const schema = Type.Object({
    enabled: Type.Boolean({ default: false, description: 'On' }),
    keyFile: Type.String({ description: 'A file' }),
    password: Type.String({ secret: true, description: 'A secret' }),
    bucket: Type.String({ variable: 'BUCKET', description: 'Called otherwise' }),
    key: Type.String({ hostOnly: true, description: 'Neither flag nor variable' }),
    list: Type.Array(Type.String(), { description: 'For hosts' })
  })
  const settings = collect('part', schema, 'part-', 'RELAY_')
  t.same(settings.map(({ name, flag, variable, isSecret }) => [name, flag, variable, isSecret]), [
    ['enabled', 'part', 'RELAY_PART', false],
    ['keyFile', 'part-key-file', 'RELAY_PART_KEY_FILE', false],
    ['password', 'part-password', 'RELAY_PART_PASSWORD', true],
    ['bucket', 'part-bucket', 'BUCKET', false]
  ])
})

t.test('secrets are no flags', async t => {
  t.equal(settings.find(({ name, isSecret }) => !isSecret && /secret|accesskey|password/i.test(name)), undefined)
})

t.test('texts become numbers and booleans; what is others’ is passed over', async t => {
  t.same(readValues({ RELAY_MAX_UPLOAD: '5', RELAY_CORS: 'false', RELAY_STORAGE: '7', PATH: '/bin' }, 'variable'),
    { storage: '7', 'max-upload': 5, cors: false })
  t.same(readValues({ 'max-upload': '5', cors: false }, 'flag'), { 'max-upload': 5, cors: false })
})

t.test('a variable that looks like one of the relay’s and is none is refused', async t => {
  for (const [name, message] of [
    ['RELAY_JWT_KEY', 'variable RELAY_JWT_KEY: unknown name, did you mean RELAY_JWT_KEYS?'],
    ['RELAY_TOKEN', 'variable RELAY_TOKEN: unknown name, did you mean RELAY_TOKENS?'],
    ['relay_tokens', 'variable relay_tokens: unknown name, did you mean RELAY_TOKENS?'],
    [
      'RELAY_LIMITS_CONNECTION',
      'variable RELAY_LIMITS_CONNECTION: unknown name, did you mean RELAY_LIMITS_CONNECTIONS?'
    ],
    ['RELAY_PORT', /^variable RELAY_PORT: unknown name, did you mean /]
  ] as const) t.throws(() => readValues({ [name]: '1' }, 'variable'), { code: 'RELAY_BAD_OPTION', message }, name)
  t.same(readValues({ RELAY_JWT_KEY: '' }, 'variable'), {}, 'empty, it says nothing')
})

t.test('what Kubernetes says of services called relay is let through', async t => {
  const variables = {
    RELAY_SERVICE_HOST: '10.0.0.11',
    RELAY_SERVICE_PORT: '8081',
    RELAY_SERVICE_PORT_HTTP: '8081',
    RELAY_PORT: 'tcp://10.0.0.11:8081',
    RELAY_PORT_8081_TCP: 'tcp://10.0.0.11:8081',
    RELAY_PORT_8081_TCP_PROTO: 'tcp',
    RELAY_PORT_8081_TCP_PORT: '8081',
    RELAY_PORT_8081_TCP_ADDR: '10.0.0.11',
    RELAY_INTERNAL_SERVICE_HOST: '10.0.0.12',
    RELAY_INTERNAL_PORT: 'tcp://10.0.0.12:80'
  }
  t.same(readValues(variables, 'variable'), {})
})

t.test('a set but empty variable is not set; an empty flag is wrong', async t => {
  t.same(readValues({ PORT: '', RELAY_BUNDLE: '', S3_BUCKET_NAME: '' }, 'variable'), {})
  t.throws(() => readValues({ bundle: '' }, 'flag'), { code: 'RELAY_BAD_OPTION', message: /^--bundle / })
})

t.test('a bad value is refused by the name it came under', async t => {
  for (const [variable, value] of [
    ['PORT', 'http'], ['PORT', '65536'], ['PORT', '-1'], ['PORT', '80.5'], ['RELAY_MAX_UPLOAD', '0'],
    ['RELAY_MAX_UPLOAD', '1MB'],
    ['RELAY_CORS', 'yes'], ['AWS_ENDPOINT_URL_S3', 'localhost:9000'], ['RELAY_PING_INTERVAL', '99999999999']
  ] as const) {
    t.throws(() => readValues({ [variable]: value }, 'variable'),
      { code: 'RELAY_BAD_OPTION', message: new RegExp(`^${variable} must `) }, `${variable}=${value}`)
  }
  t.throws(() => readValues({ LOG_LEVEL: 'loud' }, 'variable'), { message: /^LOG_LEVEL must .*: fatal, error, warn, / })
  t.throws(() => readValues({ port: 'http' }, 'flag'), { message: '--port must be integer' })
})

t.test('flags beat the environment one by one', async t => {
  const { server, relay } = settle(
    { port: 1, host: '::1', storage: 'a', 's3-bucket': 'b', 's3-region': 'r' },
    { port: 2, storage: 'c', 's3-region': 's' })
  t.same(server, { port: 2, host: '::1', logLevel: 'info' })
  t.same(relay, { anyPath: true, storage: 'c', s3: { bucket: 'b', region: 's' } })
})

t.test('peers are taken on any path unless told otherwise, and the relay takes the options as they are', async t => {
  t.match(parseOptions(settle({}).relay), { anyPath: true, storage: 'automerge-repo-data', s3: undefined })
  t.match(parseOptions(settle({ 'any-path': false }).relay), { anyPath: false })
  t.match(parseOptions(settle({ 's3-bucket': 'b' }).relay), { s3: { bucket: 'b', region: 'eu-north-1' } })
})

t.test('a region without a bucket asks for nothing in the environment and is refused as a flag', async t => {
  t.equal(settle({ 's3-region': 'eu-west-1' }).relay.s3, undefined)
  t.throws(() => settle({}, { 's3-region': 'eu-west-1' }), {
    code: 'RELAY_BAD_OPTION', message: /^--s3-region needs --s3-bucket/
  })
})

t.test('the tunnel is on when it is said who may call', async t => {
  t.equal(settle({ 'tunnel-timeout': 5 }).relay.tunnel, undefined)
  t.throws(() => settle({}, { 'tunnel-timeout': 5 }), {
    code: 'RELAY_BAD_OPTION', message: /^--tunnel-timeout needs --tunnel-token-file/
  })
  const folder = await scratch(t, { tokens: 'one\ntwo\n' })
  const { relay } = settle(readValues(
    { RELAY_TUNNEL_TOKEN_FILE: `${folder}/tokens`, RELAY_TUNNEL_TIMEOUT: '5' }, 'variable'
  ))
  t.match(parseOptions(relay).tunnel, {
    tokens: ['one', 'two'], timeout: 5, basePath: '/__runner', allowAnonymous: false
  })
  t.match(parseOptions(settle({}, { 'tunnel-allow-anonymous': true }).relay).tunnel, {
    tokens: [], allowAnonymous: true
  })
})
