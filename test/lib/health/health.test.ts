import t from 'tap'
import { RelayError } from '../../../lib/errors.ts'
import { Health } from '../../../lib/health/health.ts'
import { Probe } from '../../../lib/health/probe.ts'

t.test('each check is told with its reason, and one is enough', async t => {
  const disk = Object.assign(new Error('ENOSPC: no space left on device, open \'/secret/path\''), { code: 'ENOSPC' })
  const health = new Health({
    fine () {},
    async later () {},
    system () { throw new RelayError('RELAY_STORAGE_FAILED', 'storage /secret/path: full', { cause: disk }) },
    own () { throw new RelayError('RELAY_CLOSING', 'the relay is closing') },
    async words () { throw new Error('no answer in 5 ms') },
    nonsense () { throw null } // eslint-disable-line no-throw-literal
  })
  t.strictSame(await health.report(), {
    status: 'failing',
    checks: {
      fine: { status: 'ok' },
      later: { status: 'ok' },
      system: { status: 'failing', reason: 'ENOSPC' },
      own: { status: 'failing', reason: 'RELAY_CLOSING' },
      words: { status: 'failing', reason: 'no answer in 5 ms' },
      nonsense: { status: 'failing', reason: 'null' }
    }
  })
  t.strictSame(await new Health({ fine () {} }).report(), { status: 'ok', checks: { fine: { status: 'ok' } } })
})

t.test('a probe is run once for all who ask, and again when its result is old', async t => {
  let runs = 0
  let works = true
  const check = async (): Promise<void> => {
    runs++
    await new Promise(resolve => setImmediate(resolve))
    if (!works) throw new Error('broken')
  }
  const kept = new Probe(check, { keep: 60_000 })
  await Promise.all([kept.run(), kept.run()])
  works = false
  await kept.run()
  t.equal(runs, 1)
  const fresh = new Probe(check, { keep: -1 })
  await t.rejects(fresh.run(), { message: 'broken' })
  works = true
  await fresh.run()
  t.equal(runs, 3)
})

t.test('a check that hangs fails, is not started again, and recovers when it ends', async t => {
  let runs = 0
  let release = (): void => {}
  const probe = new Probe(() => {
    runs++
    return new Promise<void>(resolve => { release = resolve })
  }, { timeout: 20 })
  await t.rejects(probe.run(), { message: 'no answer in 20 ms' })
  await t.rejects(probe.run(), { message: 'no answer in 20 ms' })
  t.equal(runs, 1)
  release()
  await new Promise(resolve => setImmediate(resolve))
  await probe.run()
  t.equal(runs, 1)
})
