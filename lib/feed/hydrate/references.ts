import type { FeedEvent } from '../event.ts'
import type { Reference } from './hydrator.ts'

/** What a reference is looked up as. `other` is named and not looked up: the AppView has no call for it here. */
export type ReferenceKind = 'profile' | 'post' | 'other'

/** A reference, and how it is looked up. */
export interface Wanted extends Reference { readonly kind: ReferenceKind }

export interface ReferenceOptions {
  /** Whether likes and reposts are looked up: they are most of the stream. */
  reactions?: boolean
  /**
   * An app's own references: DIDs are looked up as profiles, URIs of posts as posts. What it throws is told to
   * `onError`; the others are kept.
   */
  more?: (event: FeedEvent) => readonly Reference[]
  onError?: (error: unknown) => void
}

const POSTS = 'app.bsky.feed.post'
const DID = /^did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]$/
const RECORD_KEY = /^[a-zA-Z0-9._~:-]{1,512}$/
const MAX_DID = 256 // characters: far more than any real one, and 25 of them still make a URL
const MAX_URI = 1_024
const MAX_REFERENCES = 100 // of one record; a post may name a few dozen people

type Fields = Record<string, unknown>
type Add = (role: string, kind: 'profile' | 'uri', id: unknown) => void

/** By collection; see the lexicons of the same names. */
const rules: Record<string, (record: Fields, add: Add, options: ReferenceOptions) => void> = {
  [POSTS]: (record, add) => {
    const reply = fields(record.reply)
    add('parent', 'uri', fields(reply.parent).uri)
    add('root', 'uri', fields(reply.root).uri)
    for (const facet of list(record.facets)) {
      for (const feature of list(fields(facet).features)) {
        const { $type, did } = fields(feature)
        if ($type === 'app.bsky.richtext.facet#mention') add('mention', 'profile', did)
      }
    }
    const embed = fields(record.embed)
    const quoted = fields(embed.record)
    if (embed.$type === 'app.bsky.embed.record') add('quote', 'uri', quoted.uri)
    else if (embed.$type === 'app.bsky.embed.recordWithMedia') add('quote', 'uri', fields(quoted.record).uri)
  },
  'app.bsky.feed.like': reaction,
  'app.bsky.feed.repost': reaction,
  'app.bsky.graph.follow': person,
  'app.bsky.graph.block': person,
  'app.bsky.graph.listitem': (record, add) => {
    add('subject', 'profile', record.subject)
    add('list', 'uri', record.list)
  },
  'app.bsky.feed.threadgate': gate,
  'app.bsky.feed.postgate': gate,
  'app.bsky.actor.profile': (record, add) => { add('pinned', 'uri', fields(record.pinnedPost).uri) }
}

function reaction (record: Fields, add: Add, { reactions = false }: ReferenceOptions): void {
  if (!reactions) return
  add('subject', 'uri', fields(record.subject).uri)
  add('via', 'uri', fields(record.via).uri)
}

function person (record: Fields, add: Add): void { add('subject', 'profile', record.subject) }

function gate (record: Fields, add: Add): void { add('post', 'uri', record.post) }

/**
 * What a commit refers to, its author first; the same in the same role once. Ids are well-formed: one that is not would
 * have the AppView refuse the whole call it is in. Nothing for what is no commit. Never throws.
 */
export function referencesOf (event: FeedEvent, options: ReferenceOptions = {}): Wanted[] {
  const { did, commit } = event
  if (commit === undefined) return []
  const { collection, record } = commit
  const found = new Map<string, Wanted>()
  const keep = (reference: Wanted): void => {
    const key = `${reference.role} ${reference.id}`
    if (found.size < MAX_REFERENCES && !found.has(key)) found.set(key, reference)
  }
  const add: Add = (role, kind, id) => {
    const reference = kind === 'profile' ? profile(role, id) : uri(role, id)
    if (reference !== undefined) keep(reference)
  }
  add('author', 'profile', did)
  if (Object.hasOwn(rules, collection)) rules[collection]!(fields(record), add, options)
  for (const { role, id } of own(event, options)) add(role, isDid(id) ? 'profile' : 'uri', id)
  return [...found.values()]
}

function own (event: FeedEvent, { more, onError }: ReferenceOptions): readonly Reference[] {
  if (more === undefined) return []
  try {
    return list(more(event)).map(fields).filter(({ role }) => typeof role === 'string') as unknown as Reference[]
  } catch (error) {
    onError?.(error)
    return []
  }
}

/** Whether a value is a DID that may be asked for (https://atproto.com/specs/did). */
export const isDid = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_DID && DID.test(value)

/** The parts of an AT-URI of a record; undefined for anything else. The authority may be a handle. */
export function partsOf (value: unknown): { authority: string, collection: string, rkey: string } | undefined {
  if (typeof value !== 'string' || value.length > MAX_URI || !value.startsWith('at://')) return undefined
  const [authority, collection, rkey, ...rest] = value.slice('at://'.length).split('/')
  if (!authority || !collection || rkey === undefined || rest.length > 0) return undefined
  if (!RECORD_KEY.test(rkey) || rkey === '.' || rkey === '..') return undefined
  return { authority, collection, rkey }
}

const profile = (role: string, id: unknown): Wanted | undefined => isDid(id) ? { role, kind: 'profile', id } : undefined

/** A post that names its author by a handle is left out of the lookups: the answer would name it otherwise. */
function uri (role: string, id: unknown): Wanted | undefined {
  const parts = partsOf(id)
  if (parts === undefined) return undefined
  return { role, kind: parts.collection === POSTS && isDid(parts.authority) ? 'post' : 'other', id: id as string }
}

const fields = (value: unknown): Fields => typeof value === 'object' && value !== null ? value as Fields : {}
const list = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : []
