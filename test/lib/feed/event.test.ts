import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { NotAnEvent, eventOf, parseEvent, positionOf } from '../../../lib/feed/event.ts'
import { asPosition } from '../../../lib/feed/position.ts'
import { FIXTURES } from '../../helper.ts'

const folder = `${FIXTURES}/feed`
const linesOf = (file: string): string[] =>
  readFileSync(`${folder}/${file}`, 'utf8').split('\n').filter(line => line !== '')

t.test('every event that production sent is read, keeps its text, and is like no other', {
  skip: existsSync(folder) ? false : `no ${folder} here`
}, async t => {
  const ids = new Set<string>()
  const lines = [...linesOf('v1-window.jsonl'), ...linesOf('v1-kinds.jsonl')]
  for (const line of lines) {
    const event = parseEvent(line)
    t.equal(event.text, line)
    t.match(event.uri, /^at:\/\/did:/)
    ids.add(event.id)
  }
  t.equal(ids.size, lines.length)
})

const did = 'did:plc:a'
const commit = { rev: '3k', operation: 'create', collection: 'app.bsky.feed.post', rkey: 'x' }

t.test('an event has the same identity whatever server it is from', async t => {
  const event = eventOf({ did, time_us: 5, kind: 'commit', commit })
  t.match(event, {
    uri: 'at://did:plc:a/app.bsky.feed.post/x', id: 'did:plc:a 3k app.bsky.feed.post x create', seq: undefined
  })
  t.equal(eventOf({ kind: 'commit', cursor: 7, time_us: 6, did, commit: { ...commit, record: null } }).id, event.id)
  const account = { active: false, did, seq: 9, time: '2026-01-08T10:57:43.950Z', status: 'deleted' }
  const gone = eventOf({ did, time_us: 5, kind: 'account', account })
  t.match(gone, { id: 'did:plc:a account 9', uri: 'at://did:plc:a', account: { active: false, status: 'deleted' } })
  t.match(eventOf({ did, time_us: 5, kind: 'identity', identity: { did, seq: 9, handle: 'a.test' } }), {
    handle: 'a.test', id: 'did:plc:a identity 9'
  })
  t.match(eventOf({ did, time_us: 5, kind: 'new', cursor: 3 }), { kind: 'new', id: 'did:plc:a new 5 3' })
})

t.test('what is no event is told from one', async t => {
  for (const text of ['', '{', 'null', '[]', '1', '{}', '{"did":1}', '{"did":"did:plc:a"}', '{"did":"did:plc:a",' +
    '"time_us":-1,"kind":"commit"}',
  '{"did":"did:plc:a","time_us":1.5,"kind":"commit"}', '{"did":"did:plc:a","time_us":1,"kind":"commit"}',
  '{"did":"did:plc:a","time_us":1,"kind":"commit","commit":{"rev":"a"}}',
  '{"did":"did:plc:a","time_us":1,"kind":"account","account":{}}',
  '{"did":"plc","time_us":1,"kind":"new"}']) t.throws(() => parseEvent(text), NotAnEvent, text)
})

t.test('a position is one of its wire, and survives a file', async t => {
  const event = eventOf({ did, time_us: 1_700_000_000_000_000, kind: 'commit', cursor: 4, commit })
  const old = positionOf(event, 'wss://a', 'v1')
  t.strictSame(old, { host: 'wss://a', wire: 'v1', cursor: 1_700_000_000_000_000, timeUs: 1_700_000_000_000_000 })
  const now = positionOf(event, 'wss://a', 'v2')
  t.equal(now.cursor, 4)
  t.strictSame(asPosition(JSON.parse(JSON.stringify(now))), now)
  for (const none of [null, 1, {}, { ...now, cursor: -1 }, { ...now, wire: 'v3' }, { ...now, timeUs: '5' }]) {
    t.equal(asPosition(none), undefined)
  }
})
