import t from 'tap'
import { TokenBucket } from '../../../lib/limits/token-bucket.ts'

t.test('two seconds of the rate may come at once, and then what time brings', async t => {
  const bucket = new TokenBucket(125, 0)
  t.equal(bucket.draw(249, 0), 0)
  t.equal(bucket.draw(1, 0), 0, 'at the limit')
  t.equal(bucket.draw(1, 0), 8, 'one past it: as long as one takes')
  t.equal(bucket.draw(0, 7), 1)
  t.equal(bucket.draw(0, 8), 0)
  t.equal(bucket.draw(4, 40), 0, 'later there are four')
  t.equal(bucket.draw(1, 40), 8)
})

t.test('what is not drawn is kept only so far', async t => {
  const bucket = new TokenBucket(100, 0)
  t.equal(bucket.draw(200, 3_600_000), 0)
  t.equal(bucket.draw(1, 3_600_000), 10)
})

t.test('one large draw is a debt', async t => {
  const bucket = new TokenBucket(100, 0)
  t.equal(bucket.draw(2200, 0), 20_000)
  t.equal(bucket.draw(0, 20_000), 0)
})

t.test('a bucket holds at least what it is to hold', async t => {
  const bucket = new TokenBucket(1, 0, 5000)
  t.equal(bucket.draw(5000, 0), 0)
  t.equal(bucket.draw(1, 0), 1000)
})

t.test('what is not there is not drawn when it is tried', async t => {
  const bucket = new TokenBucket(1, 0)
  t.equal(bucket.tryDraw(3, 0), false)
  t.equal(bucket.tryDraw(2, 0), true)
  t.equal(bucket.tryDraw(1, 999), false)
  t.equal(bucket.tryDraw(1, 1000), true)
})
