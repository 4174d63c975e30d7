import { createServer, type AddressInfo } from 'node:net'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import t from 'tap'
import { executable, run } from './executable.ts'
import { until } from '../helper.ts'

t.test('a log that cannot be written ends and delays nothing', {
  skip: existsSync('/dev/full') ? false : 'no /dev/full here'
}, async t => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await once(free.close(), 'close')
  const relay = run(t, ['-c', 'exec "$0" "$@" > /dev/full', process.execPath, executable, String(port)], {
    program: 'sh'
  })
  const url = `http://127.0.0.1:${port}`
  const status = async (path: string, init?: RequestInit) =>
    await fetch(url + path, init).then(response => response.status, () => 0)
  await until(async () => await status('/health/ready') === 200)
  t.equal(
    await status('/api/documents', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }), 201
  )
  relay.child.kill()
  const { code, stderr } = await relay.exit
  t.equal(code, 0)
  t.match(stderr, /^tonk-relay: the log cannot be written: .*ENOSPC[^\n]*\n$/, 'told once')
})
