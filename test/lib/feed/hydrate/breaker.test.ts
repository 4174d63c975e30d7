import t from 'tap'
import { Breaker } from '../../../../lib/feed/hydrate/breaker.ts'

function breakerAt () {
  let now = 0
  const states: string[] = []
  const breaker = new Breaker({
    failures: 3,
    pause: 1_000,
    maxPause: 3_000,
    now: () => now,
    onChange: state => {
      states.push(state)
    }
  })
  return {
    breaker,
    states,
    pass: (ms: number) => {
      now += ms
    },
    fail: (times: number) => { for (let n = 0; n < times; n++) breaker.failed() }
  }
}

t.test('opens after some failures in a row, and not before', async t => {
  const { breaker, fail } = breakerAt()
  fail(2)
  breaker.succeeded()
  fail(2)
  t.equal(breaker.tryPass(), true)
  fail(1)
  t.strictSame([breaker.state, breaker.mayPass, breaker.tryPass()], ['open', false, false])
})

t.test('after a while one tries, and only one', async t => {
  const { breaker, states, pass, fail } = breakerAt()
  fail(3)
  pass(1_000)
  t.strictSame([breaker.mayPass, breaker.tryPass(), breaker.tryPass(), breaker.mayPass], [true, true, false, false])
  breaker.succeeded()
  t.strictSame([breaker.tryPass(), breaker.tryPass()], [true, true])
  t.strictSame(states, ['open', 'half-open', 'closed'])
})

t.test('longer each time that fails, up to a limit; as at first once it is well', async t => {
  const { breaker, pass, fail } = breakerAt()
  fail(3)
  for (const pause of [1_000, 2_000, 3_000, 3_000]) {
    pass(pause - 1)
    t.equal(breaker.tryPass(), false)
    pass(1)
    t.equal(breaker.tryPass(), true)
    breaker.failed()
  }
  pass(3_000)
  breaker.tryPass()
  breaker.succeeded()
  fail(3)
  pass(1_000)
  t.equal(breaker.tryPass(), true)
})

t.test('answers to those who asked before it opened change nothing', async t => {
  const { breaker, fail } = breakerAt()
  fail(3)
  breaker.succeeded()
  breaker.failed()
  t.strictSame([breaker.state, breaker.tryPass()], ['open', false])
})

t.test('one who was stopped gives their turn to the next', async t => {
  const { breaker, pass, fail } = breakerAt()
  breaker.cancelled()
  t.equal(breaker.state, 'closed')
  fail(3)
  pass(1_000)
  t.equal(breaker.tryPass(), true)
  breaker.cancelled()
  t.equal(breaker.tryPass(), true)
})
