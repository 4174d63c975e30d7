import t from 'tap'
import { scratch } from '../../scratch.ts'
import { vaultLife } from './crash/vault-life.ts'

t.test('killed at any moment, a vault has all that it acknowledged, and what is left is collected', async t => {
  const folder = await scratch(t, { one: null, two: null, three: null })
  const life = await vaultLife({ folder, seed: 7, rounds: 4, writing: 1_500 })
  t.strictSame(life.problems, [])
  t.ok(life.acknowledged > 0, `${life.acknowledged} objects acknowledged`)
})
