import t from 'tap'
import { Requests } from '../../../lib/requests/requests.ts'

t.test('it settles when all have left, each once', async t => {
  const requests = new Requests()
  await requests.settle(60_000)
  const [first, second] = [requests.enter(), requests.enter()]
  let isSettled = false
  const settled = requests.settle(60_000).then(() => { isSettled = true })
  first()
  first()
  t.equal(requests.size, 1)
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(isSettled, false)
  second()
  await settled
  t.equal(requests.size, 0)
})

t.test('those without an end are ended first, unless they have ended by themselves', async t => {
  const requests = new Requests()
  const ended: string[] = []
  const leave = requests.enter()
  requests.endless(() => {
    ended.push('one')
    leave()
  })
  requests.endless(() => ended.push('another'))()
  await requests.settle(60_000)
  t.strictSame(ended, ['one'])
})

t.test('it waits no longer than it is told', async t => {
  const requests = new Requests()
  requests.enter()
  await requests.settle(20)
  t.equal(requests.size, 1)
})
