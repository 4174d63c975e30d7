import t from 'tap'
import { Type } from 'typebox'
import { nearest, validator } from '../../lib/validate.ts'

const schema = Type.Object({
  secret: Type.String({ minLength: 4 }),
  size: Type.Integer({ default: 7 }),
  kind: Type.Optional(Type.Unsafe<string>({ type: 'string', enum: ['open', 'closed'] })),
  inner: Type.Optional(Type.Object({ name: Type.String({ default: 'x' }) }, { additionalProperties: false }))
}, { additionalProperties: false })
const validate = validator<unknown>(schema, (path, problem) => new Error(`<${path}> ${problem}`))

t.test('fills in a copy', async t => {
  const given = { secret: 'abcd', inner: {} }
  t.same(validate(given), { secret: 'abcd', size: 7, inner: { name: 'x' } })
  t.same(given, { secret: 'abcd', inner: {} })
})

t.test('what is wrong is said by name, what is unknown first', async t => {
  for (const [given, message] of [
    [{ secet: 'abcd' }, '<secet> unknown name, did you mean secret?'],
    [{ secret: 'abcd', SIZE: 3 }, '<SIZE> unknown name, did you mean size?'],
    [{ secret: 'abcd', inner: { naem: 'y' } }, '<inner.naem> unknown name, did you mean name?'],
    [{ secret: 'abcd', whatever: undefined }, '<whatever> unknown name, there are secret, size, kind, inner'],
    [{ secret: 'abcd', kind: 'opne' }, '<kind> must be one of open, closed; did you mean open?'],
    [{ secret: 'abcd', kind: 'elsewhere' }, '<kind> must be one of open, closed'],
    [{}, '<secret> is missing'],
    [{ secret: 'abcd', inner: () => {} }, '<inner> must be object'],
    [JSON.parse('{ "secret": "abcd", "__proto__": {} }'), /<__proto__> unknown name/],
    [null, '<> must be object']
  ] as const) t.throws(() => validate(given), { message }, JSON.stringify(given))
})

t.test('a thing that holds itself is refused like any other', async t => {
  const inner: Record<string, unknown> = { name: 'x' }
  inner['self'] = inner
  t.throws(() => validate({ secret: 'abcd', inner }), { message: /<inner.self> unknown name/ })
})

t.test('the nearest name is one that could be meant', async t => {
  const names = ['tokens', 'jwtKeys', 'rules', 'maxUpload']
  t.equal(nearest('token', names), 'tokens')
  t.equal(nearest('jwtKey', names), 'jwtKeys')
  t.equal(nearest('MAXUPLOADS', names), 'maxUpload')
  t.equal(nearest('colour', names), undefined)
})
