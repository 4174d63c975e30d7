import { RelayError } from '../../errors.ts'
import { fields, list, text } from '../shape/json.ts'
import type { FeedRecord } from '../sinks/sink.ts'

/** Plain JSON for an item of a feed document. */
export type Fields = Readonly<Record<string, unknown>>

/**
 * What goes into the documents of one feed. Of `accounts`, `words`, `tags` and `collections` those that are there must
 * all be met, each by any of its values.
 */
export interface Rule {
  /** One word: what its documents and files are named by */
  name: string
  /** DIDs */
  accounts?: readonly string[]
  /** Words of the text, in any case; whole words where there are spaces between words */
  words?: readonly string[]
  /** Without `#`, in any case */
  tags?: readonly string[]
  /** NSIDs, or prefixes that end in `.*`; posts alone when nothing is said */
  collections?: readonly string[]
  /** The last word: false leaves a record out, fields become its item's `data` */
  match?: (record: FeedRecord) => boolean | Fields
  /** Whether authors who want no readers without a login get in. Needs access control */
  authenticated?: boolean
}

const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/
const POSTS = ['app.bsky.feed.post']

/** Whether a record is chosen, and its item's `data`. Throws what the rule's function does. */
export type Chosen = (record: FeedRecord) => boolean | Fields

/** @throws RelayError RELAY_BAD_OPTION */
export function chooser ({ name, accounts, words, tags, collections = POSTS, match }: Rule): Chosen {
  if (!NAME.test(name)) {
    throw new RelayError('RELAY_BAD_OPTION', `a feed document's name has a-z, 0-9 and -, not: ${name}`)
  }
  const known = accounts === undefined ? undefined : new Set(accounts)
  const wanted = tags === undefined ? undefined : new Set(tags.map(tag => folded(tag.replace(/^#/, ''))))
  const patterns = words?.map(patternOf)
  return record => {
    const { did, commit } = record.event
    if (commit === undefined || (known !== undefined && !known.has(did))) return false
    if (!collections.some(collection => isIn(commit.collection, collection))) return false
    const content = fields(commit.record)
    if (wanted !== undefined && !tagsOf(content).some(tag => wanted.has(folded(tag)))) return false
    const words = text(content.text) ?? ''
    if (patterns !== undefined && !patterns.some(pattern => pattern.test(words))) return false
    return match?.(record) ?? true
  }
}

const folded = (value: string): string => value.normalize('NFC').toLowerCase()

const isIn = (collection: string, pattern: string): boolean =>
  pattern.endsWith('.*') ? collection.startsWith(pattern.slice(0, -1)) : collection === pattern

function tagsOf ({ tags, facets }: Record<string, unknown>): string[] {
  const marked = list(facets).flatMap(facet => list(fields(facet).features)).map(fields)
    .filter(({ $type }) => $type === 'app.bsky.richtext.facet#tag').map(({ tag }) => tag)
  return [...list(tags), ...marked].filter(tag => typeof tag === 'string')
}

/** Scripts without spaces between words have no whole words to look for. */
function patternOf (word: string): RegExp {
  const letters = word.normalize('NFC').replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
  const isUnspaced =
    /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u.test(word)
  return new RegExp(isUnspaced ? letters : `(?<![\\p{L}\\p{N}_])${letters}(?![\\p{L}\\p{N}_])`, 'iu')
}
