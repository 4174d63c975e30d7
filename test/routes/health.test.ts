import t from 'tap'
import type { BundleStore } from '../../app.ts'
import { RelayError } from '../../lib/errors.ts'
import { client, settled, start, until } from '../helper.ts'
import { onEachOperation, systemError } from '../lib/storage/disk.ts'

const OK = { status: 'ok' }

t.test('a relay that works', async t => {
  const { http } = await start(t)
  const live = await fetch(`${http}/health/live`)
  t.match([live.status, live.headers.get('cache-control'), await live.json()], [200, 'no-store', OK])
  await settled(http)
  const ready = await fetch(`${http}/health/ready`)
  t.equal(ready.status, 200)
  t.equal(ready.headers.get('cache-control'), 'no-store')
  t.strictSame(await ready.json(), {
    status: 'ok', checks: { disk: OK, journal: OK, bundles: OK, served: OK, accepting: OK }
  })
  t.equal((await fetch(`${http}/health/ready`, { method: 'HEAD' })).status, 200)
})

t.test('a full disk shows in readiness and in the figures, and goes away with its cause', async t => {
  const { http, ws } = await start(t)
  const gauges = async (): Promise<string> => {
    const text = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text()
    return text.split('\n').filter(line => line.startsWith('relay_health_check')).join()
  }
  const ready = async (): Promise<{ status: number, checks: Record<string, unknown> }> => {
    const response = await fetch(`${http}/health/ready`)
    return { status: response.status, checks: (await response.json() as { checks: Record<string, unknown> }).checks }
  }
  const full = await onEachOperation(t, async ({ name }, run) => {
    if (name === 'handle.write' || name === 'handle.writeFile') throw systemError('ENOSPC')
    return await run()
  })
  client(t, ws).create({ a: 1 })
  await until(async () => (await ready()).checks['journal'] !== undefined && (await gauges()).includes(
    'relay_health_check{check="journal"} 0'
  ))
  await until(async () => (await gauges()).includes('relay_health_check{check="disk"} 0'))
  t.match(await ready(), {
    status: 503,
    checks: {
      disk: { status: 'failing', reason: 'ENOSPC' }, journal: { status: 'failing', reason: 'ENOSPC' }, accepting: OK
    }
  })
  t.equal((await fetch(`${http}/health/live`)).status, 200, 'it is not to be restarted for that')
  full.stop()
  await until(async () => (await ready()).status === 200)
  t.match(await gauges(), 'relay_health_check{check="journal"} 1')
})

t.test('a bundle store that is away', async t => {
  let away = false
  const store: BundleStore = {
    open: async () => null,
    put: async () => {},
    check: async () => { if (away) throw new RelayError('RELAY_STORE_UNAVAILABLE', 'bucket my-secret cannot be used') },
    close: async () => {}
  }
  const { http } = await start(t, { store })
  away = true
  let response!: Response
  await until(async () => { // the last result holds for a second
    response = await fetch(`${http}/health/ready`)
    return response.status === 503
  })
  t.match(await response.json(), {
    status: 'failing', checks: { bundles: { status: 'failing', reason: 'RELAY_STORE_UNAVAILABLE' }, disk: OK }
  })
})
