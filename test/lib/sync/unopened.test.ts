import t from 'tap'
import { RelayError } from '../../../lib/errors.ts'
import { newDocumentId } from '../../../lib/ids.ts'
import { UnopenedDocuments } from '../../../lib/sync/unopened.ts'

t.test('what could not be opened is tried again, after longer each time', async t => {
  const documents = new UnopenedDocuments()
  const [id, other] = [newDocumentId(), newDocumentId()]
  const error = new RelayError('RELAY_STORAGE_FAILED', 'no disk')
  t.equal(documents.resting(id, 0), undefined)
  t.equal(documents.add(id, error, 0), true)
  t.equal(documents.resting(id, 1_999), error)
  t.strictSame(documents.due(1_999), [])
  t.equal(documents.resting(id, 2_000), undefined)
  const tries: number[] = []
  for (let now = 0; now < 3_600_000; now += 1_000) {
    if (documents.due(now).length === 0) continue
    tries.push(now)
    t.equal(documents.add(id, error, now), false, 'it is no news')
  }
  t.strictSame(tries.slice(0, 4), [2_000, 6_000, 14_000, 30_000])
  t.equal(tries.at(-1)! - tries.at(-2)!, 300_000, 'every five minutes in the end')
  t.equal(documents.add(other, error, 0), true)
  t.equal(documents.size, 2)
  t.equal(documents.delete(id), true)
  t.equal(documents.delete(id), false)
  t.equal(documents.add(id, error, 0), true, 'from the start')
})
