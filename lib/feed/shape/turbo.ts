import type { FeedRecord } from '../sinks/sink.ts'
import { fields, list, snakeCase, text, type Json } from './json.ts'

/**
 * A record as the Rust program jetstream-turbo tells it, as JSON text:
 * `{ message, hydrated_metadata, processed_at, metrics }`. The posts that it refers to are attached, which that program
 * leaves out. In `metrics` times and calls are 0: lookups are shared between records and counted for all of them.
 */
export function turboText (record: FeedRecord): string {
  const { event, hydration } = record
  const had = hydration.references.filter(reference => reference.text !== null).length
  const metrics = {
    hydration_time_ms: 0,
    api_calls_count: 0,
    cache_hit_rate: hydration.references.length === 0 ? 0 : had / hydration.references.length,
    cache_hits: had,
    cache_misses: hydration.references.length - had
  }
  return `{"message":${event.text},"hydrated_metadata":${JSON.stringify(metadataOf(record))},` +
    `"processed_at":"${new Date(hydration.at).toISOString()}","metrics":${JSON.stringify(metrics)}}`
}

function metadataOf ({ event, hydration }: FeedRecord): Json {
  const record = fields(event.commit?.record)
  const profiles = new Map<string, Json>()
  const posts = new Map<string, Json>()
  let author: Json | null = null
  for (const { role, id, text: json } of hydration.references) {
    if (json === null) continue
    const value = JSON.parse(json) as Json
    if (role === 'author') author = snakeCase(value) as Json
    else if (id.startsWith('did:')) profiles.set(id, value)
    else posts.set(id, value)
  }
  return {
    author_profile: author,
    mentioned_profiles: [...profiles.values()].map(snakeCase),
    referenced_posts: [...posts.values()].map(postOf),
    ...featuresOf(record, profiles),
    detected_language: text(list(record.langs)[0]) ?? null
  }
}

function postOf (post: Json): Json {
  const { uri, cid, author, record, replyCount, likeCount, repostCount } = post
  const { did, handle } = fields(author)
  const { text: words, createdAt } = fields(record)
  return {
    uri,
    cid,
    text: text(words) ?? '',
    author_did: did,
    author_handle: handle ?? null,
    created_at: createdAt ?? null,
    reply_count: replyCount ?? null,
    like_count: likeCount ?? null,
    repost_count: repostCount ?? null
  }
}

/** What is marked in a post's text. */
function featuresOf (
  { facets }: Json, profiles: Map<string, Json>
): { hashtags: string[], urls: string[], mentions: Json[] } {
  const [hashtags, urls, mentions] = [[] as string[], [] as string[], [] as Json[]]
  for (const facet of list(facets).map(fields)) {
    const { byteStart, byteEnd } = fields(facet.index)
    for (const { $type, tag, uri, did } of list(facet.features).map(fields)) {
      if ($type === 'app.bsky.richtext.facet#tag' && typeof tag === 'string') hashtags.push(tag.toLowerCase())
      if ($type === 'app.bsky.richtext.facet#link' && typeof uri === 'string') urls.push(uri)
      if ($type !== 'app.bsky.richtext.facet#mention' || typeof did !== 'string') continue
      const { handle, displayName } = profiles.get(did) ?? {}
      mentions.push({
        did, handle: handle ?? null, display_name: displayName ?? null, start_byte: byteStart, end_byte: byteEnd
      })
    }
  }
  return { hashtags, urls, mentions }
}
