import t from 'tap'
import { timeOfTid } from '../../../../lib/feed/hydrate/tid.ts'
import { visibilityOf, visibilityOfPost } from '../../../../lib/feed/hydrate/visibility.ts'

const did = 'did:plc:7hlycnzwbtkftmyn54eokeia'
const labelled = (...labels: unknown[]) => ({ did, handle: 'a.test', labels })
const own = { src: did, val: '!no-unauthenticated' }

t.test('by the labels of the profile', async t => {
  t.equal(visibilityOf(labelled()), 'public')
  t.equal(visibilityOf({ did }), 'public')
  t.equal(visibilityOf(labelled({ src: 'did:plc:moderator', val: 'porn' })), 'public')
  t.equal(visibilityOf(labelled(own)), 'authenticated')
  t.equal(visibilityOf(labelled({ ...own, src: 'did:plc:somebody' })), 'public', 'nobody says that for others')
  for (const val of ['!hide', '!takedown']) {
    t.equal(visibilityOf(labelled(own, { src: 'did:plc:moderator', val })), 'hidden')
  }
  t.equal(visibilityOf(labelled({ ...own, neg: true })), 'public', 'taken back')
  t.equal(visibilityOf(labelled({ ...own, exp: '2020-01-01T00:00:00Z' })), 'public', 'over')
  t.equal(visibilityOf(labelled({ ...own, exp: '2999-01-01T00:00:00Z' })), 'authenticated')
  t.equal(visibilityOf(labelled({ ...own, exp: 'no date' })), 'authenticated')
})

t.test('a profile that was not seen, or is none', async t => {
  for (const profile of [undefined, null, 1, 'text', [], {}, { did: 1 }]) {
    t.equal(visibilityOf(profile), 'unknown', JSON.stringify(profile))
  }
  for (const labels of [null, 1, 'text', {}, [null], [[]], [1]]) {
    t.equal(visibilityOf({ did, labels }), 'public', JSON.stringify(labels))
  }
})

t.test('a post is shown as its author is, and has labels of its own', async t => {
  t.equal(visibilityOfPost({ author: labelled() }), 'public')
  t.equal(visibilityOfPost({ author: labelled(own), labels: [] }), 'authenticated')
  t.equal(visibilityOfPost({ author: labelled(), labels: [{ src: 'did:plc:moderator', val: '!takedown' }] }), 'hidden')
  for (const post of [null, {}, { author: null }, 1]) t.equal(visibilityOfPost(post), 'unknown')
})

t.test('the time that a TID tells', async t => {
  t.equal(timeOfTid('3jzfcijpj2z2a'), 1688137381887.007, 'of the specification')
  t.equal(timeOfTid('7777777777777'), 5_811_096_293_381.285)
  t.equal(timeOfTid('2222222222222'), 0)
  for (const text of [
    '', 'self', '3jzfcijpj2z2', '3jzfcijpj2z2aa', '3jzfcijpj2z21', 'zzzzzzzzzzzzz', '3JZFCIJPJ2Z2A'
  ]) {
    t.equal(timeOfTid(text), undefined, text)
  }
})
