import t from 'tap'
import { ACTIONS } from '../../../lib/access/action.ts'
import { ANONYMOUS, type Principal } from '../../../lib/access/identity/principal.ts'
import { readRules } from '../../../lib/access/rule.ts'
import { isForAnonymous, permits } from '../../../lib/access/rules.ts'
import { newDocumentId, type DocumentId } from '../../../lib/ids.ts'

const [a, b, bundle] = [newDocumentId(), newDocumentId(), newDocumentId()]
const ann: Principal = { id: 'ann' }
const bob: Principal = { id: 'bob' }
const resource = (id?: DocumentId, holder?: DocumentId) => ({ id, isIn: async (asked: DocumentId) => asked === holder })

t.test('what no rule allows is not allowed', async t => {
  for (const action of ACTIONS) {
    t.equal(permits([], ann, action, resource(a)), false)
    const rules = readRules({ rules: [{ allow: [action] }] })
    for (const other of ACTIONS) {
      t.equal(await permits(rules, ann, other, resource(a)), other === action, `${action} allows ${other}`)
    }
    t.equal(await permits(rules, ANONYMOUS, action, resource(a)), false, '* is not for who has no token')
  }
})

t.test('names in rules are those of principals, however they are typed', async t => {
  t.strictSame(readRules({ rules: [{ principals: ['Rene\u0301', '*'], allow: ['document:read'] }] })[0]!.principals, [
    'Ren\u00e9', '*'
  ])
  for (const name of [' ann', '', 'a\u200b']) {
    t.throws(
      () => readRules({ rules: [{ principals: [name], allow: ['document:read'] }] }), /principals/, JSON.stringify(name)
    )
  }
})

t.test('by principal, by document, by bundle', async t => {
  const rules = readRules({
    rules: [
      { principals: ['ann'], allow: ['document:read', 'document:write'], documents: [a] },
      { principals: ['bob'], allow: ['document:read', 'bundle:read'], bundles: [bundle] },
      { principals: ['anonymous'], allow: ['bundle:read'], documents: [b] }
    ]
  })
  t.equal(permits(rules, ann, 'document:read', resource(a)), true)
  t.equal(permits(rules, ann, 'document:read', resource(b)), false)
  t.equal(permits(rules, ann, 'document:create', resource(a)), false)
  t.equal(permits(rules, ann, 'document:read', resource()), true, 'some')
  t.equal(permits(rules, ann, 'bundle:read', resource()), false, 'none')
  t.equal(await permits(rules, bob, 'document:read', resource(a)), false)
  t.equal(await permits(rules, bob, 'document:read', resource(a, bundle)), true)
  t.equal(await permits(rules, bob, 'document:write', resource(a, bundle)), false)
  t.equal(permits(rules, bob, 'bundle:read', resource(bundle)), true)
  t.equal(permits(rules, bob, 'bundle:read', resource(a)), false)
  t.equal(permits(rules, ANONYMOUS, 'bundle:read', resource(a)), false, 'a rule about documents is about no bundle')
  t.equal(isForAnonymous(rules), true)
})

t.test('what is wrong with rules is said', async t => {
  for (const [rules, where] of [
    [[], /object/], [{}, /rules/], [{ rules: [{}] }, /rules\.0/], [{ rules: [{ allow: [] }] }, /rules\.0\.allow/],
    [{ rules: [{ allow: ['document:fly'] }] }, /allow\.0: must be one of document:read/],
    [{ rules: [{ allow: ['administer'], documents: ['../x'] }] }, /documents\.0/],
    [{ rules: [{ allow: ['administer'], document: [a] }] }, /document: unknown name, did you mean documents/]
  ] as const) t.throws(() => readRules(rules), { message: where })
})
