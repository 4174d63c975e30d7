import t from 'tap'
import { scratch } from '../scratch.ts'
import { live } from './crash/life.ts'

t.test('killed again and again while it is written to, the relay has all that it acknowledged', async t => {
  const figures = await live({ folder: await scratch(t), seed: 7, rounds: 4, writing: 1_000 })
  t.strictSame(figures.problems, [])
  t.equal(figures.lost, 0)
  t.ok(figures.acknowledged > 0, `${figures.acknowledged} changes acknowledged`)
})
