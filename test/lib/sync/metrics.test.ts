import t from 'tap'
import { Registry } from 'prom-client'
import { SyncMeter } from '../../../lib/sync/metrics.ts'
import { samplesIn } from '../metrics/samples.ts'

t.test('messages are counted by type, with their bytes', async t => {
  const registry = new Registry()
  const meter = new SyncMeter(registry)
  meter.messageIn('sync', 100)
  meter.messageIn('sync', 20)
  meter.messageIn('invalid', 0)
  meter.messageOut('peer', 7)
  const read = samplesIn(await registry.metrics())
  for (const [name, value] of Object.entries({
    'relay_messages_received_total{type="sync"}': 2,
    'relay_received_bytes_total{type="sync"}': 120,
    'relay_messages_received_total{type="invalid"}': 1,
    'relay_received_bytes_total{type="invalid"}': 0,
    'relay_messages_sent_total{type="peer"}': 1,
    'relay_sent_bytes_total{type="peer"}': 7
  })) t.equal(read.get(name), value, name)
})

t.test('sync latency is a histogram, refusals are counted by code', async t => {
  const registry = new Registry()
  const meter = new SyncMeter(registry)
  for (const seconds of [0.0004, 0.02, 0.02, 9]) meter.syncLatency(seconds)
  meter.refused('RELAY_PEER_SLOW')
  const read = samplesIn(await registry.metrics())
  t.equal(read.get('relay_sync_latency_seconds_bucket{le="0.001"}'), 1)
  t.equal(read.get('relay_sync_latency_seconds_bucket{le="0.025"}'), 3)
  t.equal(read.get('relay_sync_latency_seconds_bucket{le="+Inf"}'), 4)
  t.equal(read.get('relay_sync_latency_seconds_sum'), 9.0404)
  t.equal(read.get('relay_connections_refused_total{code="RELAY_PEER_SLOW"}'), 1)
})
