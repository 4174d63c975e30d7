import t from 'tap'
import { whyNotLocal } from '../../../lib/dashboard/local.ts'

const host = 'localhost:8081'

t.test('who is at this machine, by its own names', async t => {
  for (const address of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) {
    t.equal(whyNotLocal(address, { host }), undefined, address)
  }
  for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:8081', '[::1]:8081']) {
    t.equal(whyNotLocal('127.0.0.1', { host }), undefined, host)
  }
  t.equal(whyNotLocal('127.0.0.1', { host, 'sec-fetch-site': 'same-origin', origin: `http://${host}` }), undefined)
  t.equal(whyNotLocal('127.0.0.1', { host, 'sec-fetch-site': 'none' }), undefined)
  t.equal(
    whyNotLocal('127.0.0.1', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }),
    undefined,
    'a link'
  )
})

t.test('nobody else', async t => {
  for (const address of [undefined, '10.0.0.1', '::ffff:10.0.0.1', 'fe80::1', '128.0.0.1']) {
    t.match(whyNotLocal(address, { host }), /only this machine/, String(address))
  }
  for (const name of ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']) {
    t.match(whyNotLocal('127.0.0.1', { host, [name]: 'for=127.0.0.1' }), /proxy/, name)
  }
})

t.test('no page of another site, whatever name it gives this machine', async t => {
  for (const host of [
    undefined, '', 'evil.example', 'localhost.evil.example:8081', '127.0.0.1.evil.example', '10.0.0.1'
  ]) {
    t.match(whyNotLocal('127.0.0.1', { host }), /as localhost/, String(host))
  }
  t.match(whyNotLocal('127.0.0.1', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'empty' }), /another site/)
  t.match(
    whyNotLocal('127.0.0.1', { host, 'sec-fetch-site': 'same-site' }), /another site/, 'another port of this machine'
  )
  t.match(whyNotLocal('127.0.0.1', { host, origin: 'http://localhost:3000' }), /another site/)
  t.match(whyNotLocal('127.0.0.1', { host, origin: 'null' }), /another site/)
})
