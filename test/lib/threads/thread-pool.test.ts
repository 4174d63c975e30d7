import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { ThreadPool } from '../../../lib/threads/thread-pool.ts'

const pool = (t: Test, file: string): ThreadPool => {
  const made = new ThreadPool(new URL(`./threads/${file}`, import.meta.url), { threads: 1, idleTimeout: 1_000 })
  t.teardown(async () => { await made.destroy() })
  return made
}

t.test('jobs are done one after the other; what one throws is its own', async t => {
  const threads = pool(t, 'doubling')
  const jobs = [threads.run(1), threads.run('one'), threads.run(3)]
  t.equal(await jobs[0], 2)
  await t.rejects(jobs[1]!, { name: 'TypeError', message: 'not a number' })
  t.equal(await jobs[2], 6)
  await t.rejects(threads.run(1, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  await threads.close()
})

t.test('jobs that wait for a thread that cannot start are told why', async t => {
  const threads = pool(t, 'broken')
  const jobs = [threads.run(1), threads.run(2)]
  for (const job of jobs) await t.rejects(job, /cannot start|Unknown file extension/)
  await t.rejects(threads.run(3), /cannot start|Unknown file extension/)
})

t.test('a process with nothing else to do lives until its jobs are done', async t => {
  const script = fileURLToPath(new URL('./threads/one-job.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script], {
    env: { ...process.env, NODE_OPTIONS: '' }
  })
  t.equal(stdout, '42\n')
})
