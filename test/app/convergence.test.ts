import t from 'tap'
import { scratch } from '../scratch.ts'
import { run } from './convergence/run.ts'

// a Repo that is let go of goes on waiting for a minute for documents that it asked for
t.teardown(() => { setImmediate(() => { process.exit() }) })

for (const [seed, idleTimeout, title] of [
  [1, 300_000, 'clients that come and go while the relay is killed all end with everything'],
  [2, 50, 'so they do when documents leave the relay’s memory as soon as nobody follows them']
] as const) {
  t.test(title, async t => {
    const figures = await run({
      folder: await scratch(t), seed, clients: 5, documents: 6, duration: 8_000, idleTimeout
    })
    t.strictSame(figures.problems, [])
    t.ok(figures.changes > 0, `${figures.changes} changes, settled in ${figures.settled?.toFixed(0)} ms`)
  })
}
