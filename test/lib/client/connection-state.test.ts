import t from 'tap'
import { Backoff } from '../../../lib/client/backoff.ts'
import { refusalOf, statusOf } from '../../../lib/client/connection-state.ts'

t.test('why a connection ended, by the reason of its close', async t => {
  const refusal = refusalOf('RELAY_TOKEN_EXPIRED: the token is out of date')
  t.strictSame(refusal, { code: 'RELAY_TOKEN_EXPIRED', message: 'the token is out of date' })
  t.strictSame(refusalOf('going away'), { message: 'going away' }, 'of another server')
  t.strictSame(refusalOf(''), { message: undefined })
  for (const [code, status] of [
    ['RELAY_TOKEN_EXPIRED', 'expired'], ['RELAY_UNAUTHENTICATED', 'refused'], ['RELAY_ACCESS_REVOKED', 'stopped'],
    ['RELAY_RATE_LIMITED', 'full'], ['RELAY_CLOSING', 'offline'], [undefined, 'offline']
  ] as const) t.equal(statusOf({ code }), status)
})

t.test('pauses grow, are never all alike, and are never shorter than what is asked for', async t => {
  const backoff = new Backoff({ first: 100, longest: 1_000 })
  const pauses = Array.from({ length: 50 }, () => backoff.next())
  t.ok(pauses[0]! <= 100)
  t.ok(Math.max(...pauses) > 400 && Math.max(...pauses) <= 1_000)
  t.ok(new Set(pauses).size > 40)
  t.ok(backoff.next(5_000) >= 5_000)
  backoff.reset()
  t.ok(backoff.next() <= 100)
})
