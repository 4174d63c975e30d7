import t from 'tap'
import { SlimCache } from '../../../lib/bundles/slim-cache.ts'
import type { Slim } from '../../../lib/bundles/slim.ts'
import { newId } from './stores/folder.ts'

const id = newId()
const slim = (size = 10): Slim => ({ bytes: new Uint8Array(size), etag: `"${Math.random()}"` })

/** A cut that ends when told. */
function cutting () {
  let cuts = 0
  let finish!: (slim: Slim) => void
  let fail!: (error: Error) => void
  return {
    cut: () => {
      cuts++
      return new Promise<Slim>((resolve, reject) => { [finish, fail] = [resolve, reject] })
    },
    finish: (slim: Slim) => finish(slim),
    fail: (error: Error) => fail(error),
    get cuts () { return cuts }
  }
}

t.test('one cut for all who ask at the same time, and for those who ask later', async t => {
  const cache = new SlimCache(1e6)
  const work = cutting()
  const asked = [1, 2, 3].map(() => cache.get('stored', id, 'v1', work.cut))
  const made = slim()
  work.finish(made)
  for (const answer of await Promise.all(asked)) t.equal(answer, made)
  t.equal(await cache.get('stored', id, 'v1', work.cut), made)
  t.equal(work.cuts, 1)
})

t.test('another version, kind or root is cut anew', async t => {
  const cache = new SlimCache(1e6)
  const work = cutting()
  for (
    const [kind, root, version] of [
      ['stored', id, 'v1'], ['stored', id, 'v2'], ['served', id, 'v2'], ['stored', newId(), 'v2']
    ] as const
  ) {
    const before = work.cuts
    const asked = cache.get(kind, root, version, work.cut)
    work.finish(slim())
    await asked
    t.equal(work.cuts, before + 1)
  }
})

t.test('a change of the root makes it be cut again', async t => {
  const cache = new SlimCache(1e6)
  for (const kind of ['stored', 'served'] as const) {
    const first = await cache.get(kind, id, 'v1', async () => slim())
    cache.forget(newId())
    t.equal(await cache.get(kind, id, 'v1', async () => slim()), first)
    cache.forget(id)
    t.not(await cache.get(kind, id, 'v1', async () => slim()), first)
  }
})

t.test('a change while it is cut: that cut is not kept, and not given to who asks afterwards', async t => {
  const cache = new SlimCache(1e6)
  const [old, fresh] = [cutting(), cutting()]
  const [stale, current] = [slim(), slim()]
  const before = cache.get('stored', id, 'v1', old.cut)
  cache.forget(id)
  const after = cache.get('stored', id, 'v1', fresh.cut)
  fresh.finish(current)
  t.equal(await after, current)
  old.finish(stale)
  t.equal(await before, stale)
  t.equal(await cache.get('stored', id, 'v1', old.cut), current)
  cache.forget(id)
  const last = cache.get('stored', id, 'v1', old.cut)
  cache.forget(id)
  old.finish(stale)
  await last
  t.not(await cache.get('stored', id, 'v1', async () => slim()), stale)
})

t.test('a cut that fails is not kept', async t => {
  const cache = new SlimCache(1e6)
  const work = cutting()
  const asked = [1, 2].map(() => cache.get('stored', id, 'v1', work.cut))
  work.fail(new Error('no'))
  for (const answer of asked) await t.rejects(answer, { message: 'no' })
  t.ok(await cache.get('stored', id, 'v1', async () => slim()))
})

t.test('keeps what was used last within its size, and nothing when that is 0', async t => {
  const cache = new SlimCache(3000)
  const ids = [newId(), newId(), newId()] as const
  for (const id of ids) await cache.get('stored', id, 'v1', async () => slim(1000))
  let cuts = 0
  const again = async () => {
    cuts++
    return slim(1000)
  }
  await cache.get('stored', ids[2], 'v1', again)
  await cache.get('stored', ids[1], 'v1', again)
  t.equal(cuts, 0)
  await cache.get('stored', ids[0], 'v1', again)
  t.equal(cuts, 1)
  const none = new SlimCache(0)
  await none.get('stored', id, 'v1', again)
  await none.get('stored', id, 'v1', again)
  t.equal(cuts, 3)
})
