import t from 'tap'
import { setImmediate as turn } from 'node:timers/promises'
import { Flushes } from '../../../lib/sync/flushes.ts'
import type { DocumentId } from '../../../lib/ids.ts'

t.test('documents are flushed once a tick, and one that fails keeps no other from it', async t => {
  const [flushed, failed]: [string[], string[]] = [[], []]
  const flushes = new Flushes(({ id }) => { failed.push(id) })
  const document = (id: string, flush = () => { flushed.push(id) }) => ({ id: id as DocumentId, flush })
  const [first, bad, last] = [document('first'), document('bad', () => {
    throw new Error('a fault')
  }), document('last')]
  for (const each of [first, bad, last, first]) flushes.add(each)
  t.strictSame(flushed, [])
  await turn()
  t.strictSame([flushed, failed], [['first', 'last'], ['bad']])
  flushes.add(last)
  await turn()
  t.strictSame(flushed, ['first', 'last', 'last'])
})
