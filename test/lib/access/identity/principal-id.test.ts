import t from 'tap'
import { isInRules, isPrincipalId, typedId, whyNoPrincipalId } from '../../../../lib/access/identity/principal-id.ts'

const [composed, decomposed] = ['Ren\u00e9', 'Rene\u0301']

t.test('names that can be told apart by everybody who sees, types or stores them', async t => {
  for (const id of [
    'ann', 'team:bob', 'a b', 'ann@example.org', composed, '山田', 'é'.repeat(256), 'x'.repeat(256), '🎹'
  ]) {
    t.ok(isPrincipalId(id), id)
  }
  for (
    const [id, problem] of [
      ['', /text/], [7, /text/], [null, /text/], [undefined, /text/], ['x'.repeat(257), /longer/],
      ['山'.repeat(171), /longer/],
      ['anonymous', /word/], ['tunnel', /word/], ['*', /word/], [decomposed, /form C/], ['\u212b', /form C/],
      [' ann', /seen/], ['ann\u00a0', /seen/], ['a\u0000', /seen/], ['a\nb', /seen/], ['a\u200bb', /seen/],
      ['\u202ebob', /seen/],
      ['a\ufeff', /seen/], ['a\ud800', /seen/]
    ] as const
  ) t.match(whyNoPrincipalId(id), problem, JSON.stringify(id))
})

t.test('what is typed is brought into that form', async t => {
  t.equal(typedId(decomposed), composed)
  for (const text of ['*', 'anonymous', 'tunnel', 'ann', decomposed]) t.ok(isInRules(text), text)
  for (const text of ['', ' ann', 'x'.repeat(257), 'a\ud800']) t.notOk(isInRules(text), JSON.stringify(text))
})
