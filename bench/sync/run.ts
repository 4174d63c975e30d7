// One load on one server, in a process of its own that `bench.ts` forks: what it finds is sent there.
import type { Figures } from './meter.ts'
import { loads } from './loads/all.ts'
import { Server } from './server.ts'
import { serverKinds } from './servers.ts'
import { sleep } from './statistics.ts'

export interface Task { load: string, server: string, program: string | undefined }
export type Result = { figures: Figures } | { problem: string }

const SETTLE = 1_000 // ms after its start

async function run ({ load: loadName, server: serverName, program }: Task): Promise<Result> {
  const load = loads.find(({ name }) => name === loadName)!
  const kind = serverKinds(program).find(({ name }) => name === serverName)!
  const server = await Server.start(kind, load.start)
  try {
    await sleep(SETTLE)
    return { figures: await load.run(kind, server) }
  } catch (error) {
    return { problem: server.failure ?? (error as Error).message }
  } finally {
    await server.stop()
  }
}

process.once('disconnect', () => { process.exit(1) }) // who asked is gone; the server goes with this process
process.once('message', async (task: Task) => {
  const result = await run(task).catch((error: Error): Result => ({ problem: error.message }))
  process.send!(result, () => { process.exit(0) })
})
