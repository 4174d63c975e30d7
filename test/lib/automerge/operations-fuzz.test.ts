import t from 'tap'
import { fuzzOperations } from './fuzz-operations.ts'
import { Judge } from './judge.ts'

/** How many changes: `FUZZ_ROUNDS=1000000 FUZZ_SEED=7 npx tap --timeout=0 ...` for a long run. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 1_500)
const seed = Number(process.env['FUZZ_SEED'] ?? 1)

t.test('what is accepted Automerge can live with, and what is honest is accepted', async t => {
  const judge = new Judge()
  t.teardown(() => judge.close())
  const { tried, accepted, honest, refused, failures } = await fuzzOperations(rounds, seed, judge)
  t.comment({ tried, accepted, honest, refused: Object.fromEntries([...refused].sort((a, b) => b[1] - a[1])) })
  for (const { problem, one: { base, changes } } of failures.slice(0, 5)) {
    t.fail(`${problem}: ${JSON.stringify([base, ...changes].map(bytes => Buffer.from(bytes).toString('base64')))}`)
  }
  t.equal(failures.length, 0)
  t.ok(accepted > tried / 20, 'enough that Automerge was asked about')
  t.ok(refused.size > 30, 'for many reasons')
})
