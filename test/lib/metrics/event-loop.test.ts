import { setTimeout } from 'node:timers/promises'
import { Registry } from 'prom-client'
import t from 'tap'
import { watchEventLoop } from '../../../lib/metrics/event-loop.ts'

const BLOCKED = 300 // ms

t.test('a blocked event loop shows to every reader, and is forgotten in the end', async t => {
  const registry = new Registry()
  t.teardown(watchEventLoop(registry, 1_000))
  const longest = async () => {
    const { values } = await registry.getSingleMetric('relay_event_loop_delay_seconds')?.get() ?? { values: [] }
    return values.find(({ labels }) => labels['quantile'] === 1)?.value ?? NaN
  }
  t.equal(await longest(), 0, 'before the first sample')
  await setTimeout(100)
  for (const until = Date.now() + BLOCKED; Date.now() < until;);
  await setTimeout(100)
  const least = BLOCKED / 1e3 - 0.02 // what was left of the 20 ms between samples
  t.ok(await longest() >= least - 0.01)
  t.ok(await longest() >= least - 0.01, 'reading resets nothing')
  while (await longest() >= least - 0.01) await setTimeout(100)
  t.pass()
})
