import { setImmediate } from 'node:timers/promises'
import Fastify from 'fastify'
import t from 'tap'
import type { Metrics } from '../../lib/metrics/metrics.ts'
import metrics from '../../plugins/metrics.ts'

async function collections (metrics: Metrics): Promise<number> {
  const counts = [...(await metrics.text()).matchAll(/^nodejs_gc_duration_seconds_count\{.*\} (\d+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

t.test('a closed relay watches nothing any more', async t => {
  const [closed, open] = [Fastify(), Fastify()]
  t.teardown(() => open.close())
  await closed.register(metrics)
  await open.register(metrics)
  await closed.close()
  const [last, before] = [await collections(closed.metrics), await collections(open.metrics)]
  while (await collections(open.metrics) === before) {
    Array.from({ length: 1e5 }, (_, index) => ({ index }))
    await setImmediate()
  }
  t.equal(await collections(closed.metrics), last)
})
