import t from 'tap'
import { bytes, count, duration, latency, percent, perSecond } from '../../dashboard/format.ts'

t.test('figures for people', async t => {
  t.strictSame([0, 999, 1000, 1_440, 99_900, 999_600, 5e9, 2e15].map(n => bytes(n)), [
    '0 B', '999 B', '1 kB', '1.4 kB', '99.9 kB', '1 MB', '5 GB', '2,000 TB'
  ])
  t.equal(bytes(1_500, '/s'), '1.5 kB/s')
  t.strictSame([0, 0.00085, 0.0042, 0.25, 1.31].map(latency), ['0 ms', '850 µs', '4.2 ms', '250 ms', '1.3 s'])
  t.strictSame([0, 0.24, 9.95, 191.4, 12_345].map(perSecond), ['0 /s', '0.2 /s', '10 /s', '191 /s', '12,345 /s'])
  t.strictSame([0, 499, 61_000, 3_600_000, 90_061_000].map(duration), ['0 s', '0 s', '1 min 1 s', '1 h', '1 d 1 h'])
  t.strictSame([0.0534, 0.123, 1.5].map(percent), ['5.3 %', '12 %', '150 %'])
  t.equal(count(12_345), '12,345')
  for (const format of [bytes, latency, perSecond, percent, count]) {
    t.strictSame([format(null), format(undefined)], ['–', '–'])
  }
})
