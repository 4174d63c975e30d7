import t from 'tap'
import { Cache } from '../../../../lib/feed/hydrate/cache.ts'

const found = (text: string) => ({ text, visibility: 'public' as const })

function cacheAt (options: { size?: number } = {}) {
  let now = 1_000
  const cache = new Cache({ size: options.size ?? 1_000_000, ttl: 60_000, negativeTtl: 20_000, now: () => now })
  return { cache, pass: (ms: number) => { now += ms }, now: () => now }
}

t.test('what is there is good for longer than what is not', async t => {
  const { cache, pass, now } = cacheAt()
  cache.set('a', found('A'), now())
  cache.set('b', null, now())
  t.strictSame([cache.get('a'), cache.get('b'), cache.get('c')], [found('A'), null, undefined])
  t.strictSame([cache.hits, cache.misses], [2, 1])
  pass(20_001)
  t.strictSame([cache.get('a'), cache.get('b')], [found('A'), undefined])
  pass(40_000)
  t.equal(cache.get('a'), undefined)
})

t.test('bounded by bytes, whatever comes', async t => {
  const { cache, now } = cacheAt({ size: 100_000 })
  for (let n = 0; n < 1_000; n++) cache.set(`id ${n}`, found('x'.repeat(1_000)), now())
  t.ok(cache.bytes <= 100_000 && cache.bytes > 90_000, String(cache.bytes))
  t.same(cache.get('id 999'), found('x'.repeat(1_000)), 'the last are there')
  t.equal(cache.get('id 0'), undefined)
  cache.set('large', found('x'.repeat(100_000)), now())
  t.equal(cache.get('large'), undefined, 'what is larger than all of it is not kept')
})

t.test('what the stream tells counts more than an answer from before', async t => {
  const { cache, pass, now } = cacheAt()
  const asked = now()
  cache.set('gone', found('old'), asked)
  pass(5)
  cache.remove('gone')
  t.equal(cache.set('gone', found('old'), asked), null, 'an answer that was under way brings nothing back')
  t.equal(cache.get('gone'), null)

  cache.set('new', found('old'), asked)
  cache.forget('new')
  t.equal(cache.get('new'), undefined)
  t.same(cache.set('new', found('old'), asked), found('old'), 'it is better than nothing')
  t.equal(cache.get('new'), undefined, 'but is not kept')
})

t.test('what was asked right after a change may be from before it: it is not good for long', async t => {
  const { cache, pass, now } = cacheAt()
  cache.forget('a')
  pass(1_000)
  cache.set('a', found('perhaps old'), now())
  t.same(cache.get('a'), found('perhaps old'))
  pass(10_001)
  t.equal(cache.get('a'), undefined)
  cache.set('a', found('new'), now())
  pass(50_000)
  t.same(cache.get('a'), found('new'))
})
