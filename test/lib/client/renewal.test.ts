import t, { type Test } from 'tap'
import { mock } from 'node:test'
import { Renewal } from '../../../lib/client/renewal.ts'

/** A renewal, timers that run when told, and a clock that is set. */
function renewal (t: Test) {
  const clock = { now: 1_000_000 }
  t.intercept(Date, 'now', { value: () => clock.now })
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const state = { due: 0 }
  const renewal = new Renewal(() => { state.due++ })
  return { clock, state, renewal, pass: (ms: number) => { clock.now += ms; mock.timers.tick(ms) } }
}

t.test('a minute before the end, or when half of a short time is over', async t => {
  const { clock, state, renewal: one, pass } = renewal(t)
  one.expects(clock.now + 3_600_000)
  for (let minute = 0; minute < 58; minute++) pass(60_000)
  t.equal(state.due, 0)
  pass(60_000)
  t.equal(state.due, 1)
  one.expects(clock.now + 10_000)
  pass(4_999)
  t.equal(state.due, 1)
  pass(1)
  t.equal(state.due, 2)
  one.expects(clock.now + 10_000)
  one.stop()
  pass(60_000)
  t.equal(state.due, 2)
})

t.test('a clock that is set, or a machine that slept, is seen within half a minute', async t => {
  const { clock, state, renewal: one, pass } = renewal(t)
  one.expects(clock.now + 3_600_000)
  clock.now += 3_590_000
  pass(30_000)
  t.equal(state.due, 1)
})

t.test('a clock that is ahead does not make it ask without end', async t => {
  const { clock, state, renewal: one, pass } = renewal(t)
  one.expects(clock.now - 3_600_000)
  pass(29_999)
  t.equal(state.due, 0)
  pass(1)
  t.equal(state.due, 1)
})
