import t from 'tap'
import { Session } from '../../../lib/access/session.ts'
import type { RelayError } from '../../../lib/errors.ts'

const HOUR = 3_600_000

t.test('a token runs out by the clock on the wall, also when that is set or the machine has slept', async t => {
  const timers = t.capture(globalThis, 'setTimeout', (run: () => void, ms: number) => ({ run, ms, unref () { return this } }))
  const last = () => timers().at(-1)!
  const parts = { authenticate: async () => ({ id: 'ann' }), allows: () => true, denied () {}, opened () {}, closed () {} }
  const credentials = { headers: {}, url: '/', ip: '192.0.2.1', token: 'token' }
  const session = new Session(parts, credentials, { id: 'ann', expires: Date.now() + HOUR })
  let end: RelayError | undefined
  session.attach({ refuse: error => { end = error }, reassess () {} })
  const [look, wait] = last().args as unknown as [() => void, number]
  t.ok(wait <= 60_000, 'it looks at the clock meanwhile')
  t.equal(end, undefined)
  const now = Date.now()
  t.intercept(Date, 'now', { value: () => now + HOUR })
  look()
  t.equal(end?.code, 'RELAY_TOKEN_EXPIRED')
})
