import type { Resolved, Visibility } from '../hydrate/hydrator.ts'
import { visibilityOf, visibilityOfPost } from '../hydrate/visibility.ts'
import type { FeedRecord } from '../sinks/sink.ts'

/** A record as readers get it. `event` is the stream's own, in the form of wire v1. */
export interface RecordJson {
  /** Its place in the feed: what a reader goes on after */
  number: number
  uri: string
  event: object
  /** What it refers to; `value` is the AppView's, null when it could not be had */
  references: Array<{ role: string, id: string, value: object | null }>
  visibility: Visibility
  /** Whether something that was asked for could not be had */
  partial: boolean
  hydratedAt: string
}

export interface RecordOptions {
  /** Readers have no login: of whom asks for no such readers, and of what is hidden, nothing is attached */
  isPublic?: boolean
}

/**
 * A record as JSON text, without line breaks. It is put together of the texts of its parts: nothing is serialized
 * twice. Whether its readers may see the record itself is for the caller to ask, see its `visibility`.
 */
export function recordText (
  { number, event, hydration }: FeedRecord, { isPublic = false }: RecordOptions = {}
): string {
  const { references, visibility, partial, at } = hydration
  const attached = references.map(reference => textOf(reference, isPublic)).join(',')
  return `{"number":${number},"uri":${JSON.stringify(event.uri)},"event":${event.text},"references":[${attached}],` +
    `"visibility":"${visibility}","partial":${partial},"hydratedAt":"${new Date(at).toISOString()}"}`
}

const textOf = (reference: Resolved, isPublic: boolean): string => {
  const { role, id, text } = reference
  const value = text === null || (isPublic && !isShown(text)) ? 'null' : text
  return `{"role":${JSON.stringify(role)},"id":${JSON.stringify(id)},"value":${value}}`
}

/** Whether people without a login may see a profile or a post. What has no such label in it need not be parsed. */
function isShown (text: string): boolean {
  if (!/"!(?:no-unauthenticated|hide|takedown)"/.test(text)) return true
  const value = JSON.parse(text) as { uri?: unknown }
  return (value.uri === undefined ? visibilityOf(value) : visibilityOfPost(value)) === 'public'
}
