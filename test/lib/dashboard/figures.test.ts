import t from 'tap'
import { FigureReader } from '../../../lib/dashboard/figures.ts'
import { Metrics } from '../../../lib/metrics/metrics.ts'
import { SyncMeter } from '../../../lib/sync/metrics.ts'

t.test('who asks at the same time is answered by one reading', async t => {
  const metrics = new Metrics({ version: '1.2.3' })
  t.teardown(() => { metrics.close() })
  metrics.include(registry => new SyncMeter(registry))
  let readings = 0
  metrics.watch(() => ({ connections: ++readings, peers: 0, documents: 0 }))
  await metrics.operation('store', 'open', async () => {})
  const reader = new FigureReader(metrics)
  const [first, second] = await Promise.all([reader.read(), reader.read()])
  t.equal(first, second)
  t.equal(readings, 3, 'each of the three levels once')
  t.ok(Math.abs(first!.time - Date.now()) < 60_000)
  const names = new Set(first!.samples.map(({ name }) => name))
  for (const name of [
    'relay_info', 'relay_connections', 'relay_sync_latency_seconds_bucket', 'relay_operation_duration_seconds_sum'
  ]) {
    t.ok(names.has(name), name)
  }
  t.notOk(names.has('relay_operation_duration_seconds_bucket'))
})
