import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { createRelay } from '../../app.ts'
import { listen } from '../helper.ts'
import { scratch } from '../scratch.ts'

async function start (t: Test) {
  const storage = await scratch(t)
  const relay = createRelay()
  const app = Fastify()
  app.register(relay.plugin, { prefix: '/sync', storage })
  return { app, relay, storage, ...await listen(t, app) }
}

interface Levels { connections: number }
const levels = async (http: string): Promise<Levels> => await (await fetch(`${http}/sync/metrics`)).json() as Levels

t.test('it is no peer before it is used, then one, in the figures as well', async t => {
  const { relay, http } = await start(t)
  t.equal((await levels(http)).connections, 0)
  await relay.repo.networkSubsystem.whenReady()
  t.equal((await levels(http)).connections, 1)
  t.match(await (await fetch(`${http}/sync/metrics`, { headers: { accept: 'text/plain' } })).text(), /^relay_peers 1$/m)
  t.strictSame(relay.sync.stats(), { connections: 1, peers: 1, documents: 0 })
})

t.test('what it changes just before the relay closes is stored', async t => {
  const { relay, storage, close } = await start(t)
  const ours = relay.repo.create({ n: 1 })
  for (let n = 2; n <= 3; n++) {
    await relay.repo.flush()
    ours.change(doc => { doc.n = n })
  }
  await relay.repo.flush()
  ours.change(doc => { doc.n = 4 })
  await close()
  t.throws(() => relay.repo, { code: 'RELAY_CLOSING' })

  const again = createRelay()
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(again.plugin, { storage })
  t.strictSame((await again.repo.find(ours.url)).doc(), { n: 4 })
})

t.test('a relay whose repo nobody used closes without it', async t => {
  const { relay, close } = await start(t)
  await close()
  t.throws(() => relay.repo, { code: 'RELAY_CLOSING' })
})
