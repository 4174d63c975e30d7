import Fastify from 'fastify'
import type { Test } from 'tap'
import relay from '../../../../app.ts'
import type { SyncEngine } from '../../../../lib/sync/engine.ts'
import { listen } from '../../../helper.ts'

/** A relay on a real socket, and its engine. */
export async function relayWithEngine (
  t: Test, storage: string
): Promise<{ engine: SyncEngine, ws: string, close: () => Promise<void> }> {
  const app = Fastify()
  let engine: SyncEngine | undefined
  app.register(async scope => {
    await relay(scope, { storage })
    scope.after(() => { engine = scope.sync })
  })
  const { ws, close } = await listen(t, app)
  return { engine: engine!, ws, close }
}
