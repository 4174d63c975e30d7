import t from 'tap'
import { parseEvent } from '../../../../lib/feed/event.ts'
import { referencesOf } from '../../../../lib/feed/hydrate/references.ts'
import { grazeText } from '../../../../lib/feed/shape/graze.ts'
import { recordText, type RecordJson } from '../../../../lib/feed/shape/record.ts'
import { turboText } from '../../../../lib/feed/shape/turbo.ts'
import type { FeedRecord } from '../../../../lib/feed/sinks/sink.ts'

const [AUTHOR, FRIEND, OTHER] = ['did:plc:author', 'did:plc:friend', 'did:plc:other']
const post = (did: string, rkey: string): string => `at://${did}/app.bsky.feed.post/${rkey}`
const event = (record: unknown): string => JSON.stringify({
  did: AUTHOR,
  time_us: 1771326742406533,
  kind: 'commit',
  commit: {
    rev: '3wc3vqkebzbeu', operation: 'create', collection: 'app.bsky.feed.post', rkey: 'a', record, cid: 'bafy'
  }
})
const profile = (did: string, val?: string) => ({
  did,
  handle: `${did.slice(8)}.test`,
  displayName: `Name of ${did}`,
  followersCount: 3,
  labels: val === undefined ? [] : [{ src: did, val }]
})
const view = (uri: string, val?: string) => ({
  uri,
  cid: 'bafyview',
  author: profile(uri.split('/')[2]!, val),
  record: { text: `Text ${uri}`, createdAt: '2026-01-01T00:00:00Z' },
  likeCount: 7,
  indexedAt: '2026-01-01T00:00:00Z'
})

const REPLY = {
  text: 'Hé @friend #Tag',
  langs: ['fr'],
  facets: [
    { index: { byteStart: 4, byteEnd: 11 }, features: [{ $type: 'app.bsky.richtext.facet#mention', did: FRIEND }] },
    {
      index: { byteStart: 12, byteEnd: 16 },
      features: [{ $type: 'app.bsky.richtext.facet#tag', tag: 'Tag' }, {
        $type: 'app.bsky.richtext.facet#link', uri: 'https://a.test/'
      }]
    }
  ],
  reply: { parent: { uri: post(FRIEND!, 'p') }, root: { uri: post(OTHER!, 'r') } },
  embed: { $type: 'app.bsky.embed.recordWithMedia', record: { record: { uri: post(OTHER!, 'q') } } }
}

function recordOf (
  record: unknown, { missing = [] as string[], label = undefined as string | undefined } = {}
): FeedRecord {
  const parsed = parseEvent(event(record))
  const references = referencesOf(parsed).map(({ role, id }) => ({
    role,
    id,
    text: missing.includes(id)
      ? null
      : JSON.stringify(id.startsWith('did:')
        ? profile(id, id === FRIEND ? label : undefined)
        : view(
          id, id.includes(FRIEND!) ? label : undefined
        ))
  }))
  return {
    number: 17,
    event: parsed,
    hydration: { references, visibility: 'public', partial: missing.length > 0, at: 1771326743000 }
  }
}

t.test('our own: the event as it came, and what it refers to by role', async t => {
  const record = recordOf(REPLY, { missing: [post(OTHER!, 'q')] })
  const text = recordText(record)
  t.ok(text.includes(record.event.text), 'not a byte of the event is another')
  t.notMatch(text, '\n')
  const json = JSON.parse(text) as RecordJson
  t.strictSame({ ...json, event: 0, references: 0 }, {
    number: 17,
    uri: post(AUTHOR!, 'a'),
    event: 0,
    references: 0,
    visibility: 'public',
    partial: true,
    hydratedAt: '2026-02-17T11:12:23.000Z'
  })
  t.strictSame(json.references, [
    { role: 'author', id: AUTHOR, value: profile(AUTHOR!) },
    { role: 'parent', id: post(FRIEND!, 'p'), value: view(post(FRIEND!, 'p')) },
    { role: 'root', id: post(OTHER!, 'r'), value: view(post(OTHER!, 'r')) },
    { role: 'mention', id: FRIEND, value: profile(FRIEND!) },
    { role: 'quote', id: post(OTHER!, 'q'), value: null }
  ])
})

t.test('people without a login are shown nothing of those who want no such readers', async t => {
  const roles = (label: string, isPublic: boolean): string[] =>
    (JSON.parse(recordText(recordOf(REPLY, { label }), { isPublic })) as RecordJson).references.filter(
      ({ value }) => value === null
    )
      .map(({ role }) => role)
  for (const label of ['!no-unauthenticated', '!hide', '!takedown']) {
    t.strictSame(roles(label, true), ['parent', 'mention'], label)
    t.strictSame(roles(label, false), [])
  }
  t.strictSame(roles('porn', true), [])
})

t.test('as the Python program: the root is the reply, keys in snake_case', async t => {
  const { hydrated_metadata: metadata, message, ...rest } = JSON.parse(grazeText(recordOf(REPLY, {
    missing: [FRIEND!]
  })))
  t.strictSame(rest, { at_uri: post(AUTHOR!, 'a'), did: AUTHOR, time_us: 1771326742406533 })
  t.strictSame(message, JSON.parse(event(REPLY)))
  t.strictSame(metadata.user, {
    did: AUTHOR, handle: 'author.test', display_name: `Name of ${AUTHOR}`, followers_count: 3, labels: []
  })
  t.strictSame(metadata.mentions, { [FRIEND!]: null })
  t.strictSame([metadata.parent_post.uri, metadata.reply_post.uri, metadata.quote_post.uri], [
    post(FRIEND!, 'p'), post(OTHER!, 'r'), post(OTHER!, 'q')
  ])
  t.equal(metadata.parent_post.record.created_at, '2026-01-01T00:00:00Z')
  t.strictSame(JSON.parse(grazeText(recordOf({}))).hydrated_metadata, {
    user: { ...metadata.user }, mentions: {}, parent_post: null, reply_post: null, quote_post: null
  })
})

t.test('as the Rust program, with the posts that it leaves out', async t => {
  const { hydrated_metadata: metadata, ...rest } = JSON.parse(turboText(recordOf(REPLY)))
  t.strictSame(Object.keys(rest), ['message', 'processed_at', 'metrics'])
  t.strictSame(metadata.author_profile.display_name, `Name of ${AUTHOR}`)
  t.strictSame(metadata.mentioned_profiles.map(({ did }: { did: string }) => did), [FRIEND])
  t.strictSame(metadata.referenced_posts[0], {
    uri: post(FRIEND!, 'p'),
    cid: 'bafyview',
    text: `Text ${post(FRIEND!, 'p')}`,
    author_did: FRIEND,
    author_handle: 'friend.test',
    created_at: '2026-01-01T00:00:00Z',
    reply_count: null,
    like_count: 7,
    repost_count: null
  })
  t.equal(metadata.referenced_posts.length, 3)
  t.strictSame([metadata.hashtags, metadata.urls, metadata.detected_language], [['tag'], ['https://a.test/'], 'fr'])
  t.strictSame(metadata.mentions, [{
    did: FRIEND, handle: 'friend.test', display_name: `Name of ${FRIEND}`, start_byte: 4, end_byte: 11
  }])
})

t.test('whatever a record is, each shape is JSON', async t => {
  for (const record of [
    null,
    1,
    'text',
    [],
    { facets: null, langs: null },
    { facets: [null, { features: null }, { features: [null, { $type: 'app.bsky.richtext.facet#mention', did: 1 }] }] },
    { langs: [1] }
  ]) {
    for (const shape of [recordText, grazeText, turboText]) {
      t.equal(typeof JSON.parse(shape(recordOf(record))), 'object')
    }
  }
  const account =
    parseEvent(
      '{"did":"did:plc:a","time_us":1,"kind":"account","account":{"active":false,"did":"did:plc:a","seq":1,"time":"",' +
        '"status":"takendown"}}'
    )
  const record: FeedRecord = {
    number: 1, event: account, hydration: { references: [], visibility: 'unknown', partial: false, at: 0 }
  }
  for (const shape of [recordText, grazeText, turboText]) t.match(shape(record), account.text)
})
