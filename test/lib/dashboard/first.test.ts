import t from 'tap'
import { firstOf } from '../../../lib/dashboard/first.ts'

t.test('the first of many, as if all had been put in order', async t => {
  const random = (n: number) => ((n * 2_654_435_761) % 2 ** 32).toString(36)
  const texts = Array.from({ length: 5_000 }, (_, n) => random(n + 1))
  const sorted = [...texts].sort()
  for (const limit of [1, 7, 50, 6_000]) {
    t.strictSame(firstOf(texts, limit, () => true), sorted.slice(0, limit), String(limit))
  }
  const after = sorted[4_980]!
  t.strictSame(firstOf(texts, 50, text => text > after), sorted.slice(4_981))
  t.strictSame(firstOf([], 5, () => true), [])
})
