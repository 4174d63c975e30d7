import t from 'tap'
import { eventOf } from '../../../../lib/feed/event.ts'
import { itemOf } from '../../../../lib/feed/documents/item.ts'
import { chooser, type Rule } from '../../../../lib/feed/documents/rule.ts'
import type { FeedRecord } from '../../../../lib/feed/sinks/sink.ts'

const DID = 'did:plc:author'

const recordOf = (record: unknown, collection = 'app.bsky.feed.post', did = DID): FeedRecord => ({
  number: 1,
  event: eventOf({
    did,
    time_us: 1771326742406533,
    kind: 'commit',
    commit: { rev: 'a', operation: 'create', collection, rkey: 'b', record }
  }),
  hydration: { references: [], visibility: 'public', partial: false, at: 0 }
})
const isChosen = (rule: Omit<Rule, 'name'>, record: unknown, collection?: string): unknown =>
  chooser({ name: 'test', ...rule })(recordOf(record, collection))

t.test('accounts and collections', async t => {
  t.equal(isChosen({}, {}), true)
  t.equal(isChosen({}, {}, 'app.bsky.feed.like'), false, 'posts alone')
  t.equal(isChosen({ accounts: [DID] }, {}), true)
  t.equal(isChosen({ accounts: ['did:plc:other'] }, {}), false)
  t.equal(isChosen({ accounts: [] }, {}), false)
  t.equal(isChosen({ collections: ['fm.teal.*'] }, {}, 'fm.teal.alpha.actor.status'), true)
  t.equal(isChosen({ collections: ['fm.teal.*'] }, {}, 'fm.tealer.a'), false)
  t.equal(
    chooser({ name: 'test' })({
      ...recordOf({}), event: eventOf({ did: DID, time_us: 1, kind: 'identity', identity: { seq: 1 } })
    }),
    false
  )
})

t.test('words: whole ones, in any case, in any script', async t => {
  const has = (words: string[], text: unknown): unknown => isChosen({ words }, { text })
  t.equal(has(['relay'], 'A Relay!'), true)
  t.equal(has(['relay'], 'relayed'), false)
  t.equal(has(['a', 'local first'], 'Local first.'), true)
  t.equal(has(['ÉTÉ'], 'l’été'), true)
  t.equal(has(['слово'], 'СЛОВО, слова'), true)
  t.equal(has(['слово'], 'словом'), false)
  t.equal(has(['日本'], '私は日本語'), true)
  t.equal(has(['c++'], 'in C++, mostly'), true)
  t.equal(has(['.*'], 'anything'), false, 'a word is no pattern')
  for (const text of [null, undefined, 1, {}, ['relay']]) t.equal(has(['relay'], text), false)
})

t.test('tags: of the record or marked in its text', async t => {
  const facets = [{ features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'LocalFirst' }] }]
  t.equal(isChosen({ tags: ['#localfirst'] }, { facets }), true)
  t.equal(isChosen({ tags: ['localfirst'] }, { tags: ['LOCALFIRST'] }), true)
  t.equal(isChosen({ tags: ['localfirst'] }, { text: '#localfirst' }), false)
  for (const record of [null, { tags: 'localfirst' }, {
    facets: [null, { features: 1 }, { features: [{ tag: 1 }] }]
  }]) {
    t.equal(isChosen({ tags: ['localfirst'] }, record), false)
  }
})

t.test('all kinds must be met; a function has the last word', async t => {
  t.equal(isChosen({ words: ['a'], tags: ['b'] }, { text: 'a' }), false)
  t.equal(isChosen({ words: ['a'], tags: ['b'] }, { text: 'a', tags: ['b'] }), true)
  t.equal(isChosen({ match: () => false }, {}), false)
  t.strictSame(isChosen({ match: () => ({ score: 1 }) }, {}), { score: 1 })
  t.equal(isChosen({ accounts: [], match: () => { throw new Error('not asked') } }, {}), false)
  t.throws(() => isChosen({ match: () => { throw new Error('wrong') } }, {}), { message: 'wrong' })
})

t.test('names that would be no file', async t => {
  for (const name of ['', '../x', 'A', 'a b', 'a'.repeat(65), '-a']) {
    t.throws(() => chooser({ name }), { code: 'RELAY_BAD_OPTION' }, name)
  }
})

t.test('an item, and what none is made of', async t => {
  const author = { role: 'author', id: DID, text: JSON.stringify({ did: DID, handle: 'a.test', displayName: 'A' }) }
  const record: FeedRecord = {
    ...recordOf({ text: 'Hello' }), hydration: { references: [author], visibility: 'public', partial: false, at: 0 }
  }
  t.strictSame(itemOf(record, undefined), {
    number: 1,
    did: DID,
    time: '2026-02-17T11:12:22.406Z',
    collection: 'app.bsky.feed.post',
    handle: 'a.test',
    name: 'A',
    text: 'Hello'
  })
  t.strictSame(itemOf(record, { score: 1 }).data, { score: 1 })
  t.match(itemOf(recordOf(null), undefined), { handle: null, name: null, text: null })
  let deep: unknown = 1
  for (let n = 0; n < 40; n++) deep = [deep]
  for (const data of [{
    deep
  }, { '': 1 }, { a: { '': 1 } }, { a: NaN }, { a: undefined }, { a: () => 1 }, { a: 1n }, { a: 'x'.repeat(70_000) }]) {
    t.throws(() => itemOf(record, data), /an item/)
  }
})
