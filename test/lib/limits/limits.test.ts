import t from 'tap'
import { silent } from '../../../lib/log.ts'
import { Limits } from '../../../lib/limits/limits.ts'
import { parseOptions, type RelayOptions } from '../../../lib/options.ts'

const limited = (limits: RelayOptions['limits']) => new Limits(parseOptions({ limits }).limits, silent)
const MANY = { code: 'RELAY_TOO_MANY_CONNECTIONS', statusCode: 429, closeCode: 1013, retryAfter: 30 }
const OVERLOADED = { code: 'RELAY_OVERLOADED', statusCode: 503, closeCode: 1013, retryAfter: 10 }

t.test('connections in all, before, at and past the limit', async t => {
  const limits = limited({ connections: 2 })
  const release = limits.connect({ address: 'a' })
  limits.connect({ address: 'b' })
  t.throws(() => limits.connect({ address: 'c' }), OVERLOADED)
  release()
  limits.connect({ address: 'c' })
  t.throws(() => limits.connect({ address: 'd' }), { message: /There are 2 connections/ })
  t.strictSame([...limits.refusals.met], [['connections', 2]])
})

t.test('connections of an address and of a principal', async t => {
  const limits = limited({ connectionsPerAddress: 2, connectionsPerPrincipal: 1 })
  const release = limits.connect({ address: 'a', principal: 'ann' })
  t.throws(() => limits.connect({ address: 'b', principal: 'ann' }), { ...MANY, message: /You have 1/ })
  limits.connect({ address: 'a', principal: 'bob' })
  t.throws(() => limits.connect({ address: 'a' }), { ...MANY, message: /from your address/ })
  limits.connect({ address: 'b' })
  limits.connect({ address: 'b' })
  release()
  limits.connect({ address: 'a', principal: 'ann' })
  t.strictSame([...limits.refusals.met], [['connectionsPerPrincipal', 1], ['connectionsPerAddress', 1]])
})

t.test('uploads in all and of an address', async t => {
  const limits = limited({ uploads: 3, uploadsPerAddress: 2 })
  const releases = [limits.upload({ address: 'a' }), limits.upload({ address: 'a' })]
  t.throws(() => limits.upload({ address: 'a' }), { code: 'RELAY_TOO_MANY_UPLOADS', statusCode: 429, retryAfter: 5 })
  limits.upload({ address: 'b' })
  t.throws(() => limits.upload({ address: 'c' }), OVERLOADED)
  for (const release of releases) release()
  limits.upload({ address: 'a' })
})

t.test('limits are filled in and checked', async t => {
  t.match(parseOptions({ limits: { connections: 5 } }).limits, {
    connections: 5, connectionsPerAddress: 2_000, messageRate: 5_000, memory: undefined
  })
  t.match(parseOptions({}).limits, { connections: 10_000 })
  t.match(parseOptions({ limits: { connections: undefined } }).limits, { connections: 10_000 })
  t.throws(() => parseOptions({ limits: { connections: 0 } }), {
    code: 'RELAY_BAD_OPTION', message: /limits\.connections/
  })
  t.throws(() => parseOptions({ limits: { messageRate: 'much' } }), {
    code: 'RELAY_BAD_OPTION', message: /limits\.messageRate/
  })
})
