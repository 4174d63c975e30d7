import t from 'tap'
import { Revocations, type RevocationEvent } from '../../../lib/access/revocations.ts'

t.test('who is revoked is, however the name was typed', async t => {
  const [composed, decomposed] = ['Ren\u00e9', 'Rene\u0301']
  const revocations = new Revocations()
  const events: RevocationEvent[] = []
  const stop = revocations.onEvent(event => { events.push(event) })
  revocations.revoke(decomposed)
  t.ok(revocations.has(composed) && revocations.has(decomposed))
  revocations.refresh(decomposed)
  revocations.refresh()
  t.strictSame(events, [{ type: 'revoked', id: composed }, { type: 'changed', id: composed }, {
    type: 'changed', id: undefined
  }])
  revocations.reinstate(composed)
  t.notOk(revocations.has(decomposed))
  stop()
  revocations.revoke('ann')
  t.equal(events.length, 3)
})
