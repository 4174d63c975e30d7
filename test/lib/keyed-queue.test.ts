import t from 'tap'
import { KeyedQueue } from '../../lib/keyed-queue.ts'

t.test('jobs of a key one after the other, of other keys meanwhile, whatever fails', async t => {
  const queue = new KeyedQueue()
  const events: string[] = []
  const job = (name: string, fails = false) => async () => {
    events.push(`${name} begins`)
    await new Promise(resolve => setImmediate(resolve))
    events.push(`${name} ends`)
    if (fails) throw new Error(name)
    return name
  }
  const [a1, a2, b1, a3] = [
    queue.run('a', job('a1', true)), queue.run('a', job('a2')), queue.run('b', job('b1')), queue.run('a', job('a3'))
  ]
  await t.rejects(a1, { message: 'a1' })
  t.strictSame(await Promise.all([a2, b1, a3]), ['a2', 'b1', 'a3'])
  t.strictSame(events.filter(event => event.startsWith('a')), [
    'a1 begins', 'a1 ends', 'a2 begins', 'a2 ends', 'a3 begins', 'a3 ends'
  ])
  t.ok(events.indexOf('b1 begins') < events.indexOf('a1 ends'))
  t.equal(await queue.run('a', job('a4')), 'a4')
})
