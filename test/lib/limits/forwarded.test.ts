import t from 'tap'
import { addressIn, forwardedAddresses } from '../../../lib/limits/forwarded.ts'

t.test('an address in any form is one address', async t => {
  for (const [text, address] of [
    ['192.0.2.1', '192.0.2.1'],
    [' 192.0.2.1:51234 ', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['"[2001:db8::1]:443"', '2001:db8::1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['', undefined],
    ['unknown', undefined],
    ['_hidden', undefined],
    ['192.0.2', undefined],
    ['192.0.2.256:80', undefined],
    ['0300.0.2.1', undefined],
    ['[192.0.2.1', undefined],
    ['[2001:db8::1]x', undefined]
  ] as const) t.equal(addressIn(text), address, text)
})

t.test('what is no address counts as who said it', async t => {
  t.equal(forwardedAddresses('198.51.100.9:1, [2001:db8::1]:2'), '198.51.100.9, 2001:db8::1')
  t.equal(forwardedAddresses('198.51.100.9, anything, 192.0.2.1:9'), '192.0.2.1')
  t.equal(forwardedAddresses('192.0.2.1, 7'), undefined)
  t.equal(forwardedAddresses(''), undefined)
  t.equal(forwardedAddresses(`${'x,'.repeat(8_000)}192.0.2.1`), '192.0.2.1')
})
