import t from 'tap'
import { retryAfterOf } from '../../../lib/webhooks/post.ts'

t.test('Retry-After is seconds or a date', async t => {
  const now = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT')
  for (const [text, wait] of [
    [undefined, 0], ['120', 120_000], [' 7 ', 7_000], ['0', 0], ['-1', 0], ['soon', 0], ['', 0],
    ['Sun, 06 Nov 1994 08:50:37 GMT', 60_000], ['Sunday, 06-Nov-94 08:50:37 GMT', 60_000],
    ['Sun Nov  6 08:50:37 1994', 60_000],
    ['Sun, 06 Nov 1994 08:48:37 GMT', 0]
  ] as const) t.equal(retryAfterOf(text, now), wait, String(text))
})
