import t from 'tap'
import { DurableHeads } from '../../../lib/client/durable-heads.ts'

t.test('a document is unsaved from what is sent until the relay has it', async t => {
  const told: Array<[string, boolean]> = []
  const heads = new DurableHeads((documentId, unsaved) => { told.push([documentId, unsaved]) })
  heads.stored('a', ['1'])
  heads.sent('a', ['1'])
  t.strictSame(told, [], 'it had it already')
  heads.sent('a', ['2', '3'])
  heads.sent('a', ['4'])
  t.strictSame(told, [['a', true]], 'told once')
  t.ok(heads.isUnsaved('a'))
  heads.stored('a', ['3'])
  t.notOk(heads.has('a', heads.own('a')))
  heads.stored('a', ['4', 'of somebody else'])
  t.strictSame(told, [['a', true], ['a', false]])
  t.ok(heads.has('a', ['4']))
  t.notOk(heads.has('b', ['4']), 'another document')
  t.ok(heads.has('b', []), 'nothing is had by everybody')
})

t.test('another relay has nothing until it says so', async t => {
  const told: boolean[] = []
  const heads = new DurableHeads((_documentId, unsaved) => { told.push(unsaved) })
  heads.sent('a', ['1'])
  heads.stored('a', ['1'])
  heads.forget()
  heads.stored('a', ['1'])
  t.strictSame(told, [true, false, true, false])
})
