import t from 'tap'
import { mock } from 'node:test'
import { Session } from '../../../lib/access/session.ts'
import type { RelayError } from '../../../lib/errors.ts'
import { newDocumentId } from '../../../lib/ids.ts'

const HOUR = 3_600_000

t.test('a token runs out by the clock on the wall, also when that is set or the machine has slept', async t => {
  const timers = t.capture(globalThis, 'setTimeout', (run: () => void, ms: number) => ({
    run,
    ms,
    unref () {
      return this
    }
  }))
  const last = () => timers().at(-1)!
  const parts = {
    authenticate: async () => ({ id: 'ann' }),
    allows: () => true,
    denied () {},
    failed () {},
    opened () {},
    closed () {}
  }
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

t.test('who cannot say what somebody may do, or does not, has it rejected and told; never thrown', async t => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const answers = {
    thrown: () => {
      throw new Error('away')
    },
    rejected: async () => { throw new Error('away') },
    never: () => new Promise<boolean>(() => {})
  }
  for (const [name, allows] of Object.entries(answers)) {
    const failed: unknown[] = []
    const parts = {
      authenticate: async () => ({ id: 'ann' }),
      allows,
      denied () {},
      opened () {},
      closed () {},
      failed: (_principal: unknown, _id: unknown, cause: unknown) => { failed.push(cause) }
    }
    const session = new Session(parts, { headers: {}, url: '/', ip: '192.0.2.1', token: 'token' }, { id: 'ann' })
    const rights = session.rights(newDocumentId())
    const rejected = t.rejects(
      rights as Promise<unknown>, { message: name === 'never' ? /no answer after 30 s/ : 'away' }, name
    )
    if (name === 'never') mock.timers.tick(30_000)
    await rejected
    t.equal(failed.length, 1, name)
  }
})
