import type { FeedRecord } from '../sinks/sink.ts'
import { snakeCase } from './json.ts'

/**
 * A record as the Python program jetstream-turbo tells it, as JSON text: `{ at_uri, did, time_us, message,
 * hydrated_metadata: { user, mentions, parent_post, reply_post, quote_post }
 * }`. `reply_post` is the root of the thread; profiles and posts have keys in snake_case; what is not there is null.
 */
export function grazeText ({ event, hydration }: FeedRecord): string {
  const texts = new Map(hydration.references.map(({ role, id, text }) => [role === 'mention' ? id : role, text]))
  const mentions = hydration.references.filter(({ role }) => role === 'mention')
    .map(({ id }) => `${JSON.stringify(id)}:${snaked(texts.get(id))}`)
  const [uri, did] = [event.uri, event.did].map(value => JSON.stringify(value))
  return `{"at_uri":${uri},"did":${did},"time_us":${event.timeUs},"message":${event.text},"hydrated_metadata":{` +
    `"user":${snaked(texts.get('author'))},"mentions":{${mentions.join(',')}},` +
    `"parent_post":${snaked(texts.get('parent'))},` +
    `"reply_post":${snaked(texts.get('root'))},"quote_post":${snaked(texts.get('quote'))}}}`
}

const snaked = (text: string | null | undefined): string =>
  text == null ? 'null' : JSON.stringify(snakeCase(JSON.parse(text)))
