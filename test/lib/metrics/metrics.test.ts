import { spawnSync } from 'node:child_process'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RelayError } from '../../../lib/errors.ts'
import { countRefusals } from '../../../lib/access/metrics.ts'
import { Metrics } from '../../../lib/metrics/metrics.ts'
import { openFilesLimit } from '../../../lib/process.ts'
import { JournalMeter } from '../../../lib/storage/metrics.ts'
import { SyncMeter } from '../../../lib/sync/metrics.ts'
import { samplesIn } from './samples.ts'

const samples = async (metrics: Metrics): Promise<Map<string, number>> => samplesIn(await metrics.text())

function build (t: Test): Metrics {
  const metrics = new Metrics({ version: '1.2.3' })
  t.teardown(() => { metrics.close() })
  return metrics
}

t.test('an operation settles as what it runs, counted by result', async t => {
  const metrics = build(t)
  const failure = new RelayError('RELAY_STORE_UNAVAILABLE', 'away')
  t.equal(await metrics.operation('store', 'open', async () => 'opened'), 'opened')
  await t.rejects(metrics.operation('store', 'open', async () => { throw failure }), failure)
  await t.rejects(metrics.operation('store', 'open', () => { throw new Error('at once') }), { message: 'at once' })
  const read = await samples(metrics)
  for (const result of ['ok', 'RELAY_STORE_UNAVAILABLE', 'error']) {
    const labels = `part="store",operation="open",result="${result}"`
    t.equal(read.get(`relay_operation_duration_seconds_count{${labels}}`), 1, result)
    t.ok(read.get(`relay_operation_duration_seconds_sum{${labels}}`), 'took some time')
  }
})

t.test('levels are asked for when read', async t => {
  const metrics = build(t)
  t.equal(metrics.json().connections, 0, 'before anybody tells')
  let connections = 3
  metrics.watch(() => ({ connections, peers: 2, documents: 9 }))
  t.equal(metrics.json().connections, 3)
  connections = 4
  t.equal(metrics.json().connections, 4)
  const read = await samples(metrics)
  t.strictSame(['connections', 'peers', 'documents'].map(name => read.get(`relay_${name}`)), [4, 2, 9])
})

t.test('JSON holds what both Tonk relays tell', async t => {
  const before = Date.now()
  const { timestamp, uptime, memory, connections, process: { pid, version, platform } } = build(t).json()
  t.ok(timestamp >= before && timestamp <= Date.now())
  t.ok(uptime > 0 && uptime <= process.uptime())
  t.strictSame([connections, pid, version, platform], [0, process.pid, process.version, process.platform])
  t.strictSame(Object.keys(memory).sort(), ['arrayBuffers', 'external', 'heapTotal', 'heapUsed', 'rss', 'total'])
  const { heapUsed, heapTotal, rss, total } = memory
  t.ok(heapUsed < heapTotal && heapTotal < rss && rss < total, 'rss is of this process only')
})

t.test('the text is well-formed: every figure has its help and its type, names are ours or the process’s', async t => {
  const metrics = build(t)
  metrics.include(registry => {
    new SyncMeter(registry).messageIn('join', 1)
    new JournalMeter(registry).committed(0.001, 2, 300)
    countRefusals(registry)('RELAY_ACCESS_DENIED')
  })
  const text = await metrics.text()
  t.match(metrics.contentType, /^text\/plain; version=0\.0\.4/)
  const described =
    new Set([...text.matchAll(/^# HELP (\S+) \S.*\n# TYPE \1 (counter|gauge|histogram)$/gm)].map(match => match[1]))
  for (const name of (await samples(metrics)).keys()) {
    const family = name.replace(/\{.*/, '').replace(/(?<=_seconds|_records)_(bucket|sum|count)$/, '')
    t.ok(described.has(family), name)
    t.match(family, /^(relay|process|nodejs)_/)
  }
})

t.test('the process', async t => {
  const metrics = build(t)
  const read = await samples(metrics)
  t.equal(read.get(`relay_info{version="1.2.3",node="${process.version}"}`), 1)
  t.ok(read.get('process_cpu_user_seconds_total'))
  t.equal(Math.round(read.get('process_start_time_seconds') ?? 0), Math.round(Date.now() / 1e3 - process.uptime()))
  t.ok((read.get('nodejs_heap_size_used_bytes') ?? NaN) < (read.get('process_resident_memory_bytes') ?? NaN))
  if (process.platform === 'linux') {
    t.ok((read.get('process_open_fds') ?? 0) > 2)
    t.ok((read.get('process_max_fds') ?? 0) > (read.get('process_open_fds') ?? NaN))
  }
  const again = await samples(metrics)
  t.ok(
    (again.get('process_cpu_user_seconds_total') ?? 0) < 2 * (read.get('process_cpu_user_seconds_total') ?? 0),
    'read twice, not added up'
  )
})

t.test('the limit of open files', async t => {
  const limits = (soft: string) => 'Limit                     Soft Limit           Hard Limit           Units\n' +
    'Max core file size        0                    unlimited            bytes\n' +
    `Max open files            ${soft.padEnd(20)} 4096                 files\n`
  t.equal(openFilesLimit(limits('1024')), 1024)
  t.equal(openFilesLimit(limits('unlimited')), Infinity)
})

t.test('garbage collection shows', async t => {
  const metrics = build(t)
  const minor = 'nodejs_gc_duration_seconds_count{kind="minor"}'
  while (!(await samples(metrics)).get(minor)) {
    Array.from({ length: 1e5 }, (_, index) => ({ index }))
    await setImmediate()
  }
  t.pass()
})

t.test('two in one process share nothing', async t => {
  const [one, two] = [build(t), build(t)]
  one.include(registry => new SyncMeter(registry)).messageIn('sync', 5)
  one.watch(() => ({ connections: 8, peers: 8, documents: 8 }))
  one.close()
  const read = await samples(two)
  t.notOk(read.has('relay_messages_received_total{type="sync"}'))
  t.equal(read.get('relay_connections'), 0)
  t.equal((await samples(one)).get('relay_connections'), 8, 'a closed one can still be read')
})

t.test('keeps no process alive', async t => {
  const script = `
    import { Metrics } from ${JSON.stringify(new URL('../../../lib/metrics/metrics.ts', import.meta.url).href)}
    const metrics = new Metrics({ version: '0' })
    await metrics.text()`
  const args = ['--import', 'tsx', '--input-type=module', '-e', script]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  t.equal(status, 0, stderr)
})

t.test('some metrics are read by name', async t => {
  const metrics = build(t)
  metrics.watch(() => ({ connections: 3, peers: 2, documents: 1 }))
  const meter = metrics.include(registry => new SyncMeter(registry))
  meter.refused('RELAY_FRAME_INVALID')
  meter.syncLatency(0.003)
  const read = await metrics.read([
    'relay_connections', 'relay_connections_refused_total', 'relay_sync_latency_seconds', 'no_such_metric'
  ])
  const values = new Map(read.map(({ name, labels, value }) => [`${name} ${JSON.stringify(labels)}`, value]))
  t.equal(values.get('relay_connections {}'), 3)
  t.equal(values.get('relay_connections_refused_total {"code":"RELAY_FRAME_INVALID"}'), 1)
  t.equal(values.get('relay_sync_latency_seconds_bucket {"le":0.0025}'), 0)
  t.equal(values.get('relay_sync_latency_seconds_bucket {"le":0.005}'), 1)
  t.equal(values.get('relay_sync_latency_seconds_count {}'), 1)
  t.notOk(read.some(({ name }) => !/^relay_(connections|sync_latency)/.test(name)))
})
