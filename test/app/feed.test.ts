import t from 'tap'
import { scratch } from '../scratch.ts'
import { NOTES, kill } from './feed/kills.ts'

const REDIS = process.env['REDIS_URL']

for (const wire of ['v1', 'v2'] as const) {
  t.test(`killed again and again while events come, the feed has every one of them once (${wire})`, async t => {
    const { records, documents, redis, recognised, isNumbered, notes, unsound, archived, errors } = await kill({
      folder: await scratch(t), rounds: 3, seed: 1, wire, redis: REDIS
    })
    t.ok(records.sent > 0 && documents.sent > 0, `${records.sent} events, of them ${documents.sent} posts`)
    t.match(records, { lost: 0, repeats: 0 })
    t.match(documents, { lost: 0, repeats: 0 })
    if (REDIS === undefined) t.comment('no REDIS_URL: .ci/redis run npx tap')
    else t.match(redis, { lost: 0, repeats: 0 })
    t.ok(isNumbered, 'numbers are given once, without a hole')
    t.ok(recognised > 0, `${recognised} came again and were recognised`)
    t.equal(notes, NOTES, 'what somebody wrote beside them is there')
    t.strictSame(unsound, [], 'sealed files touch, here and in the archive')
    t.ok(archived > 0, `${archived} records are archived`)
    t.strictSame(errors, [])
  })
}
