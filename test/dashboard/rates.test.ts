import t from 'tap'
import { byLabel, quantile, rate, total } from '../../dashboard/rates.ts'
import type { Figures } from '../../lib/dashboard/figures.ts'
import { Metrics } from '../../lib/metrics/metrics.ts'
import { SyncMeter } from '../../lib/sync/metrics.ts'

t.test('rates and latencies follow from two readings of real metrics', async t => {
  const metrics = new Metrics({ version: '1.2.3' })
  t.teardown(() => { metrics.close() })
  const meter = metrics.include(registry => new SyncMeter(registry))
  const NAMES = ['relay_messages_received_total', 'relay_sync_latency_seconds', 'relay_connections_refused_total']
  const read = async (time: number): Promise<Figures> => ({ time, samples: await metrics.read(NAMES) })
  meter.messageIn('sync', 10)
  meter.syncLatency(4)
  const before = await read(1_000)
  for (let n = 0; n < 30; n++) meter.messageIn('sync', 10)
  for (let n = 0; n < 10; n++) meter.messageIn('join', 10)
  for (let n = 0; n < 99; n++) meter.syncLatency(0.002)
  meter.syncLatency(0.02)
  meter.refused('RELAY_PEER_SLOW')
  const now = await read(3_000)

  t.equal(total(now, 'relay_messages_received_total'), 41)
  t.equal(total(now, 'no_such'), undefined)
  t.equal(rate(before, now, 'relay_messages_received_total'), 20)
  t.equal(rate(before, now, 'relay_messages_received_total', ({ type }) => type === 'join'), 5)
  t.equal(rate(now, before, 'relay_messages_received_total'), null, 'another process')
  t.equal(rate(now, now, 'relay_messages_received_total'), null, 'the same reading')
  const half = quantile(before, now, 'relay_sync_latency_seconds', 0.5)!
  t.ok(half > 0.001 && half <= 0.0025, `${half}`)
  const most = quantile(before, now, 'relay_sync_latency_seconds', 0.995)!
  t.ok(most > 0.01 && most <= 0.025, `${most}, and what came before does not count`)
  t.equal(quantile(now, now, 'relay_sync_latency_seconds', 0.5), null)
  t.strictSame([...byLabel(now, 'relay_connections_refused_total', 'code')], [['RELAY_PEER_SLOW', 1]])
})

t.test('what is above the last bound is told as that bound', async t => {
  const metrics = new Metrics({ version: '1.2.3' })
  t.teardown(() => { metrics.close() })
  const meter = metrics.include(registry => new SyncMeter(registry))
  const before = { time: 0, samples: await metrics.read(['relay_sync_latency_seconds']) }
  meter.syncLatency(100)
  const now = { time: 1, samples: await metrics.read(['relay_sync_latency_seconds']) }
  t.equal(quantile(before, now, 'relay_sync_latency_seconds', 0.99), 5)
})
