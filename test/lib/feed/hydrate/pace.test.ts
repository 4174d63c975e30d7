import t from 'tap'
import { Pace } from '../../../../lib/feed/hydrate/pace.ts'

const answer = (status: number, headers: Record<string, string> = {}) => ({ status, headers: new Headers(headers) })
const epoch = (ms: number): string => String(Math.ceil((Date.now() + ms) / 1_000))

async function timeOf (pace: Pace, calls: number): Promise<number> {
  const start = performance.now()
  await Promise.all(Array.from({ length: calls }, () => pace.turn()))
  return performance.now() - start
}

t.test('a rate of our own: two seconds of it at once, then as it comes', async t => {
  const pace = new Pace({ rate: 100 })
  t.ok(await timeOf(pace, 200) < 150)
  const time = await timeOf(pace, 20)
  t.ok(time > 150 && time < 1_000, String(time))
})

t.test('RateLimit headers: nothing is held up while there is plenty, and nobody calls when nothing ' +
  'is left', async t => {
  const pace = new Pace({ rate: 1_000 })
  pace.told(answer(200, {
    'ratelimit-limit': '3000',
    'ratelimit-remaining': '2900',
    'ratelimit-reset': epoch(300_000),
    'ratelimit-policy': '3000;w=300'
  }))
  t.ok(await timeOf(pace, 10) < 100)
  pace.told(answer(200, { 'ratelimit-limit': '3000', 'ratelimit-remaining': '0', 'ratelimit-reset': epoch(300_000) }))
  t.ok(pace.held > 290_000 && pace.held <= 301_000, String(pace.held))
})

t.test('what is left is spread over what is left of the window', async t => {
  const pace = new Pace({ rate: 1_000 })
  pace.told(answer(200, { 'ratelimit-limit': '3000', 'ratelimit-remaining': '20', 'ratelimit-reset': '1' }))
  const time = await timeOf(pace, 5)
  t.ok(time > 190, String(time))
})

t.test('the reset is told by the clock of the server', async t => {
  const pace = new Pace({ rate: 1_000 })
  const theirs = Date.now() - 3_600_000
  pace.told(answer(429, {
    date: new Date(theirs).toUTCString(),
    'ratelimit-reset': String(Math.floor(theirs / 1_000) + 30),
    'ratelimit-remaining': '0'
  }))
  t.ok(pace.held > 28_000 && pace.held < 32_000, String(pace.held))
})

t.test('429 with Retry-After, in seconds or as a date; nothing holds us up for more than ten minutes', async t => {
  const soon = new Date(Date.now() + 20_000).toUTCString()
  for (const [value, least, most] of [
    ['7', 6_900, 7_000], [soon, 18_000, 20_000], ['99999999', 599_000, 600_000]
  ] as const) {
    const pace = new Pace({ rate: 1_000 })
    pace.told(answer(429, { 'retry-after': value }))
    t.ok(pace.held > least && pace.held <= most, `${value}: ${pace.held}`)
  }
})

t.test('429 without headers: longer each time, until an answer', async t => {
  const pace = new Pace({ rate: 1_000, now: () => 0 })
  const held = Array.from({ length: 9 }, () => {
    pace.told(answer(429))
    return pace.held
  })
  t.ok(held[0]! >= 750 && held[0]! <= 1_250)
  t.ok(held[3]! >= 6_000)
  t.ok(held[8]! >= 45_000 && held[8]! <= 75_000, String(held[8]))
  const other = new Pace({ rate: 1_000, now: () => 0 })
  other.told(answer(429))
  other.told(answer(200))
  other.told(answer(429))
  t.ok(other.held <= 1_250)
})

t.test('headers that are nonsense change nothing', async t => {
  const pace = new Pace({ rate: 1_000 })
  for (const value of ['', 'x', '-1', 'NaN', '1e9', '1, 2', '99999999999999999999']) {
    pace.told(answer(200, { 'ratelimit-limit': value, 'ratelimit-remaining': value, 'ratelimit-reset': value }))
    t.ok(await timeOf(pace, 2) < 100, value)
  }
})

t.test('who gives up leaves the line, and the others go on', async t => {
  const pace = new Pace({ rate: 1_000 })
  pace.told(answer(429, { 'retry-after': '0.1' }))
  const abort = new AbortController()
  const [gone, stays] = [pace.turn(abort.signal), pace.turn()]
  abort.abort(new Error('enough'))
  await t.rejects(gone, { message: /aborted|enough/ })
  await stays
  t.equal(pace.held, 0)
})
