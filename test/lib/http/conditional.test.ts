import t from 'tap'
import { holds, isConditional, select } from '../../../lib/http/conditional.ts'

const etag = '"abc"'

t.test('nothing asked: everything', async t => {
  t.strictSame(select({}, etag, 10), { status: 200 })
})

t.test('If-None-Match', async t => {
  for (const known of ['"abc"', 'W/"abc"', '*', '"x", "abc"', ' "x",W/"abc" ', '"x",\t"abc"']) {
    t.strictSame(select({ 'if-none-match': known, range: 'bytes=0-1' }, etag, 10), { status: 304 }, known)
  }
  for (const known of ['"x"', 'abc', '']) {
    t.strictSame(select({ 'if-none-match': known }, etag, 10), { status: 200 }, known)
  }
})

t.test('ETags that a proxy has changed by compressing mean the version still, but for ranges', async t => {
  for (
    const tag of ['"abc"', 'W/"abc"', '"abc-gzip"', '"abc--gzip"', 'W/"abc-br"', '"abc-zstd"', '"x", W/"abc"', '*']
  ) {
    t.ok(holds({ 'if-match': tag }, etag), tag)
    t.notOk(holds({ 'if-none-match': tag }, etag), tag)
    t.strictSame(select({ 'if-none-match': tag }, etag, 10), { status: 304 }, tag)
  }
  for (const tag of ['"x"', 'W/"x"', '"abcgzip"', '"abc-other"', 'abc', '']) {
    t.notOk(holds({ 'if-match': tag }, etag), tag)
  }
  t.strictSame(select({ range: 'bytes=0-0', 'if-range': '"abc-gzip"' }, etag, 10), { status: 200 })
  t.notOk(holds({ 'if-match': '*' }, null))
})

t.test('the version in the query: as If-Match, and with it', async t => {
  t.ok(holds({ ifMatch: 'abc' }, etag) && holds({ ifMatch: 'abc', 'if-match': '*' }, etag))
  for (
    const conditions of [
      { ifMatch: 'x' }, { ifMatch: '*' }, { ifMatch: 'abc', 'if-match': '"x"' },
      { ifMatch: 'abc', 'if-none-match': '*' }
    ]
  ) {
    t.notOk(holds(conditions, etag), JSON.stringify(conditions))
  }
  t.notOk(holds({ ifMatch: 'abc' }, null))
  const all = [{}, { ifMatch: 'abc' }, { 'if-match': '*' }, { 'if-none-match': '*' }]
  t.strictSame(all.map(isConditional), [false, true, true, true])
})

t.test('Range', async t => {
  for (
    const [range, start, end] of [
      ['bytes=0-0', 0, 1], ['bytes=2-', 2, 10], ['bytes=-3', 7, 10], ['bytes=5-100', 5, 10], ['bytes=-100', 0, 10]
    ] as const
  ) {
    t.strictSame(select({ range }, etag, 10), { status: 206, range: { start, end } }, range)
  }
  for (
    const range of [
      'bytes=0-1,4-5', 'bites=0-1', 'bytes=x', 'bytes=-', 'bytes=5-2', 'nonsense', 'bytes=abc-5', 'bytes=0x1-',
      'bytes=1.5-3', 'bytes=2-3x', 'bytes=+1-2'
    ]
  ) {
    t.strictSame(select({ range }, etag, 10), { status: 200 }, range)
  }
  for (const range of ['bytes=10-', 'bytes=11-12', 'bytes=-0']) {
    t.throws(() => select({ range }, etag, 10), { code: 'RELAY_RANGE_NOT_SATISFIABLE' }, range)
  }
})

t.test('If-Range holds only for the very same bytes', async t => {
  t.strictSame(select({ range: 'bytes=0-0', 'if-range': etag }, etag, 10), { status: 206, range: { start: 0, end: 1 } })
  for (const unchanged of ['"x"', 'W/"abc"', 'Wed, 21 Oct 2015 07:28:00 GMT']) {
    t.strictSame(select({ range: 'bytes=0-0', 'if-range': unchanged }, etag, 10), { status: 200 }, unchanged)
  }
})
