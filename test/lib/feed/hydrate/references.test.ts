import t from 'tap'
import { referencesOf, type ReferenceOptions } from '../../../../lib/feed/hydrate/references.ts'
import { eventOf, type FeedEvent } from '../../../../lib/feed/event.ts'

const AUTHOR = 'did:plc:7hlycnzwbtkftmyn54eokeia'
const [A, B, C] = ['did:plc:2z5eol76o2dqstgbj5a2mded', 'did:plc:xo72v737daprmofpkahhd73w', 'did:web:someone.test']
const post = (did: string, rkey = '3kwcjivbtxohd'): string => `at://${did}/app.bsky.feed.post/${rkey}`

const commit = (collection: string, record: unknown, did = AUTHOR): FeedEvent =>
  eventOf({
    did,
    time_us: 1,
    kind: 'commit',
    commit: { rev: '3bcetfjqajvar', operation: 'create', collection, rkey: '3sg7bbeyq5av7', record, cid: 'bafy' }
  })

const found = (collection: string, record: unknown, options?: ReferenceOptions): string[] =>
  referencesOf(commit(collection, record), options).map(({ role, kind, id }) => `${role} ${kind} ${id}`)

const author = `author profile ${AUTHOR}`

t.test('a post: what it answers, whom it mentions, what it quotes', async t => {
  t.strictSame(found('app.bsky.feed.post', {
    reply: { parent: { uri: post(A!), cid: 'x' }, root: { uri: post(B!), cid: 'x' } },
    facets: [
      {
        features: [{ $type: 'app.bsky.richtext.facet#mention', did: A }, {
          $type: 'app.bsky.richtext.facet#link', uri: 'https://a.test'
        }]
      },
      {
        features: [{ $type: 'app.bsky.richtext.facet#mention', did: A }, {
          $type: 'app.bsky.richtext.facet#mention', did: C
        }]
      }
    ],
    embed: { $type: 'app.bsky.embed.record', record: { uri: post(C!), cid: 'x' } }
  }), [
    author, `parent post ${post(A!)}`, `root post ${post(B!)}`, `mention profile ${A}`, `mention profile ${C}`,
    `quote post ${post(C!)}`
  ])
})

t.test('a quote with media is one level deeper', async t => {
  const embed = {
    $type: 'app.bsky.embed.recordWithMedia',
    media: { $type: 'app.bsky.embed.images', images: [] },
    record: { record: { uri: post(A!), cid: 'x' } }
  }
  t.strictSame(found('app.bsky.feed.post', { embed }), [author, `quote post ${post(A!)}`])
})

t.test('what is no post is named and not looked up', async t => {
  const quote = (uri: string): unknown => ({ embed: { $type: 'app.bsky.embed.record', record: { uri } } })
  for (const collection of [
    'app.bsky.feed.generator', 'app.bsky.graph.list', 'app.bsky.graph.starterpack', 'app.bsky.labeler.service'
  ]) {
    t.strictSame(found('app.bsky.feed.post', quote(`at://${A}/${collection}/self`)), [
      author, `quote other at://${A}/${collection}/self`
    ])
  }
  t.strictSame(
    found('app.bsky.feed.post', quote('at://someone.test/app.bsky.feed.post/3kwcjivbtxohd')),
    [author, 'quote other at://someone.test/app.bsky.feed.post/3kwcjivbtxohd'],
    'a handle is no DID'
  )
})

t.test('the other collections', async t => {
  const like = { subject: { uri: post(A!) }, via: { uri: `at://${B}/app.bsky.feed.repost/3m3ox4hw2ytln` } }
  for (const collection of ['app.bsky.feed.like', 'app.bsky.feed.repost']) {
    t.strictSame(found(collection, like), [author], 'only when it is asked for')
    t.strictSame(found(collection, like, { reactions: true }), [
      author, `subject post ${post(A!)}`, `via other at://${B}/app.bsky.feed.repost/3m3ox4hw2ytln`
    ])
  }
  for (const collection of ['app.bsky.graph.follow', 'app.bsky.graph.block']) {
    t.strictSame(found(collection, { subject: A }), [author, `subject profile ${A}`])
  }
  t.strictSame(found('app.bsky.graph.listitem', { subject: A, list: `at://${B}/app.bsky.graph.list/x` }), [
    author, `subject profile ${A}`, `list other at://${B}/app.bsky.graph.list/x`
  ])
  for (const collection of ['app.bsky.feed.threadgate', 'app.bsky.feed.postgate']) {
    t.strictSame(found(collection, { post: post(A!) }), [author, `post post ${post(A!)}`])
  }
  t.strictSame(found('app.bsky.actor.profile', { pinnedPost: { uri: post(A!) } }), [author, `pinned post ${post(A!)}`])
  t.strictSame(found('org.example.anything', { subject: A }), [author])
  for (const collection of ['constructor', '__proto__', 'toString']) t.strictSame(found(collection, {}), [author])
})

t.test('an app adds its own', async t => {
  const errors: unknown[] = []
  const more = (event: FeedEvent) => [
    { role: 'reviewer', id: (event.commit!.record as { by: string }).by },
    { role: 'about', id: post(A!) },
    { role: 'bad', id: 'no id' }
  ]
  t.strictSame(found('org.example.review', { by: B }, { more }), [
    author, `reviewer profile ${B}`, `about post ${post(A!)}`
  ])
  t.strictSame(found('org.example.review', null, {
    more,
    onError: error => {
      errors.push(error)
    }
  }), [author], 'what it throws costs its own only')
  t.equal(errors.length, 1)
  for (const answer of [null, 'text', [null], [1], [{ role: 1, id: 2 }], [{}]]) {
    t.strictSame(found('a.b.c', {}, { more: () => answer as never }), [author])
  }
})

t.test('ids that an AppView would refuse are left out', async t => {
  const bad = [
    1, null, {}, '', 'did:', 'did:plc:', 'did:PLC:x', 'did:plc:a b', 'did:plc:a&b', 'did:plc:x:',
    `did:web:${'a'.repeat(300)}`, 'did:plc:a\n'
  ]
  for (const subject of bad) {
    t.strictSame(found('app.bsky.graph.follow', { subject }), [author], JSON.stringify(subject))
  }
  const uris = [
    1, null, '', 'at://', 'https://a.test/b/c', `at://${A}`, `at://${A}/app.bsky.feed.post`,
    `at://${A}/app.bsky.feed.post/`, `at://${A}/app.bsky.feed.post/a/b`, `at://${A}/app.bsky.feed.post/a?b`,
    `at://${A}/app.bsky.feed.post/a b`, `at://${A}/app.bsky.feed.post/..`,
    `at://${A}/app.bsky.feed.post/${'a'.repeat(600)}`
  ]
  for (const uri of uris) t.strictSame(found('app.bsky.feed.threadgate', { post: uri }), [author], JSON.stringify(uri))
})

t.test('a record of any shape throws nothing', async t => {
  const values = [null, undefined, 1, true, '', 'text', [], [[]], {}, [null], { $type: null }, { length: -1 }, {
    uri: {}
  }]
  const collections = [
    'app.bsky.feed.post', 'app.bsky.feed.like', 'app.bsky.graph.follow', 'app.bsky.graph.listitem',
    'app.bsky.feed.threadgate', 'app.bsky.actor.profile'
  ]
  let tried = 0
  for (const collection of collections) {
    for (const one of values) {
      found(collection, one)
      for (const name of ['reply', 'facets', 'embed', 'subject', 'via', 'list', 'post', 'pinnedPost']) {
        for (const record of [
          { [name]: one },
          { [name]: { parent: one, record: one, $type: 'app.bsky.embed.recordWithMedia' } },
          { [name]: [one, { features: one }, { features: [one] }] }
        ]) {
          if (found(collection, record, { reactions: true })[0] === author) tried++
        }
      }
    }
  }
  t.equal(tried, 6 * 13 * 8 * 3)
})

t.test('a record that names thousands is cut short', async t => {
  const features = Array.from({ length: 5_000 }, (_, n) => ({
    $type: 'app.bsky.richtext.facet#mention', did: `did:plc:${n}`
  }))
  t.equal(found('app.bsky.feed.post', { facets: [{ features }] }).length, 100)
})

t.test('what is no commit refers to nothing; what is nobody is no author', async t => {
  t.strictSame(
    referencesOf(eventOf({ did: AUTHOR, time_us: 1, kind: 'account', account: { active: true, seq: 1 } })), []
  )
  t.strictSame(referencesOf(commit('app.bsky.feed.post', {}, 'did:plc:a b')), [])
})
