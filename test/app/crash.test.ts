import t from 'tap'
import { scratch } from '../scratch.ts'
import { fight } from './crash/fight.ts'
import { live } from './crash/life.ts'

t.test('killed again and again while it is written to, the relay has all that it acknowledged', async t => {
  const figures = await live({ folder: await scratch(t), seed: 7, rounds: 4, writing: 1_000 })
  t.strictSame(figures.problems, [])
  t.equal(figures.lost, 0)
  t.ok(figures.acknowledged > 0, `${figures.acknowledged} changes acknowledged`)
})

t.test('of relays that fight for one folder, one has it at a time, and nothing is lost', async t => {
  const figures = await fight({ folder: await scratch(t), seed: 3, rounds: 3, writing: 200 })
  t.strictSame(figures.problems, [])
  t.equal(figures.lost, 0)
  t.ok(figures.refused >= 6, `${figures.refused} relays refused`)
  t.ok(figures.acknowledged > 0, `${figures.acknowledged} changes acknowledged`)
})
