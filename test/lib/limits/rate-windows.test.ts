import t, { type Test } from 'tap'
import { RateWindows, type RateWindow } from '../../../lib/limits/rate-windows.ts'

/** A clock of one's own; and that on the wall, which nobody may ask. */
function clock (t: Test): { now: number } {
  const time = { now: 1_000 }
  t.intercept(performance, 'now', { value: () => time.now })
  t.intercept(Date, 'now', { value: () => { throw new Error('the clock on the wall was asked') } })
  return time
}

t.test('counts by source and window, whatever the clock on the wall says', async t => {
  const time = clock(t)
  const windows = new RateWindows()
  const ask = (source: string): RateWindow => {
    let found: RateWindow | undefined
    windows.incr(source, (_error, window) => { found = window }, 60_000)
    return found!
  }
  t.strictSame(ask('a'), { current: 1, ttl: 60_000 })
  time.now += 20_000
  t.strictSame([ask('a'), ask('b')], [{ current: 2, ttl: 40_000 }, { current: 1, ttl: 60_000 }])
  time.now += 39_999
  t.strictSame(ask('a'), { current: 3, ttl: 1 })
  time.now += 1
  t.strictSame(ask('a'), { current: 1, ttl: 60_000 })
})
