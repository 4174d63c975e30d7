import t from 'tap'
import { Health } from '../../../lib/nodes/health.ts'
import { vectors } from '../ces/vectors.ts'

const MINUTE = 60_000

t.test('the trace of the vectors', async t => {
  interface File {
    trace: Array<{ sample_ms: number | null, latency_ms: number, jitter_ms: number, loss: number, health: number }>
  }
  const file = await vectors<File>(t, 'health.json')
  const health = new Health(0)
  const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-4
  for (const [at, row] of (file?.trace ?? []).entries()) {
    const { sample_ms: sample, latency_ms: latency, jitter_ms: jitter, loss, health: score } = row
    health.sample(sample, at)
    t.ok(
      near(health.latency, latency) &&
        near(health.jitter, jitter) && near(health.loss, loss) && near(health.score, score),
      `sample ${at}`
    )
  }
})

t.test('Storj core 425: quarantine has a way back, and no flapping', async t => {
  const health = new Health(0)
  for (let n = 0; n < 3; n++) health.wrongShard(n)
  t.equal(health.state, 'quarantined')
  health.sample(10, 11 * MINUTE)
  t.equal(health.state, 'quarantined', 'three wrong shards in a day')
  health.sample(10, 25 * 60 * MINUTE)
  t.equal(health.state, 'active')
})

t.test('a place that gets slow and lossy is quarantined, and comes back after ten minutes', async t => {
  const health = new Health(0)
  let now = 0
  for (const sample of [5_000, 1, null]) health.sample(sample, ++now)
  t.equal(health.state, 'quarantined')
  for (let n = 0; n < 40; n++) health.sample(10, ++now)
  t.ok(health.score > 0.5)
  t.equal(health.state, 'quarantined', 'too early')
  health.sample(10, now += 10 * MINUTE)
  t.equal(health.state, 'active')
})

t.test('dead after a day without an answer, or when the operator says so; an answer brings it back', async t => {
  const health = new Health(0)
  health.sample(10, 0)
  health.tick(23 * 60 * MINUTE)
  t.not(health.state, 'dead')
  health.tick(24 * 60 * MINUTE)
  t.equal(health.state, 'dead')
  health.sample(10, 24 * 60 * MINUTE + 1)
  t.equal(health.state, 'quarantined')
  health.declare('dead', 25 * 60 * MINUTE)
  t.equal(health.state, 'dead')
  health.declare('active', 25 * 60 * MINUTE)
  t.equal(health.state, 'active')
})
