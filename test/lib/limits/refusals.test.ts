import t from 'tap'
import { RelayError } from '../../../lib/errors.ts'
import { silent } from '../../../lib/log.ts'
import { Refusals } from '../../../lib/limits/refusals.ts'

const denied = new RelayError('RELAY_ACCESS_DENIED', 'Not allowed')
const flooding = new RelayError('RELAY_RATE_LIMITED', 'Too fast')

function recorded () {
  const lines: Array<[fields: object, message: string]> = []
  const clock = { now: 0 }
  const refusals = new Refusals({
    ...silent,
    warn: (fields, message) => {
      lines.push([fields, message])
    }
  }, () => clock.now)
  t.teardown(() => { refusals.close() })
  return { refusals, lines, clock }
}

t.test('a source gets a line at once, and one a minute while it goes on', async t => {
  const { refusals, lines, clock } = recorded()
  for (let n = 0; n < 100; n++) refusals.tell('ann', denied)
  t.strictSame(lines.splice(0), [[{ source: 'ann', code: 'RELAY_ACCESS_DENIED' }, 'refused: Not allowed']])
  clock.now = 59_999
  refusals.sweep()
  refusals.tell('ann', flooding)
  t.strictSame(lines, [])
  clock.now = 60_000
  refusals.sweep()
  t.strictSame(lines.splice(0), [
    [{ source: 'ann', code: 'RELAY_RATE_LIMITED', times: 100 }, 'refused 100 more times: Too fast']
  ])
  refusals.tell('ann', denied)
  clock.now = 119_999
  refusals.sweep()
  t.strictSame(lines, [])
  clock.now = 120_000
  refusals.sweep()
  t.match(lines.splice(0), [[{ times: 1 }, /1 more/]])
  clock.now = 180_000
  refusals.sweep()
  refusals.tell('ann', denied)
  t.match(lines, [[{ source: 'ann' }, 'refused: Not allowed']], 'after a quiet minute it is a new one')
})

t.test('sources are told apart, up to a number of them', async t => {
  const { refusals, lines } = recorded()
  for (let n = 0; n < 10_000; n++) refusals.tell(`source ${n}`, denied)
  t.equal(lines.length, 10_000)
  for (let n = 10_000; n < 20_000; n++) refusals.tell(`source ${n}`, denied)
  t.equal(lines.length, 10_001)
  t.match(lines.at(-1), [{ source: 'others' }, 'refused: Not allowed'])
})

t.test('limits are counted apart from what is told', async t => {
  const { refusals, lines } = recorded()
  refusals.count('ephemeralRate')
  refusals.meet('ephemeralRate', 'ann', flooding)
  refusals.meet('messageRate', 'ann', flooding)
  t.strictSame([...refusals.met], [['ephemeralRate', 2], ['messageRate', 1]])
  t.equal(lines.length, 1)
})
