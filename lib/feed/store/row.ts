import { parseEvent } from '../event.ts'
import type { Hydration, Resolved, Visibility } from '../hydrate/hydrator.ts'
import type { FeedRecord } from '../sinks/sink.ts'
import type { Row } from './schema.ts'

/** A record as a row. @param receivedAt ms since 1970 */
export function rowOf ({ number, event, hydration }: FeedRecord, receivedAt: number): Row {
  const { commit } = event
  return [
    number, event.uri, event.did, event.timeUs, event.text, metadataOf(hydration), new Date(receivedAt).toISOString(),
    new Date(hydration.at).toISOString(), event.kind, commit?.operation ?? null, commit?.collection ?? null,
    commit?.rkey ?? null,
    commit?.rev ?? null, hydration.visibility, hydration.partial ? 1 : 0
  ]
}

/** A record of a row. */
export function recordOf (row: Row): FeedRecord {
  const [number, , , , message, metadata, , hydratedAt, , , , , , visibility, partial] = row
  const references =
    (JSON.parse(metadata) as { references: Array<{ role: string, id: string, value: unknown }> }).references
  return {
    number,
    event: parseEvent(message),
    hydration: {
      references: references.map(({ role, id, value }): Resolved => ({
        role, id, text: value === null ? null : JSON.stringify(value)
      })),
      visibility: visibility as Visibility,
      partial: partial === 1,
      at: Date.parse(hydratedAt)
    }
  }
}

/** `{"references":[{"role","id","value"}]}`: put together of texts, nothing is serialized twice. */
export function metadataOf ({ references }: Hydration): string {
  const texts = references.map(
    ({ role, id, text }) => `{"role":${JSON.stringify(role)},"id":${JSON.stringify(id)},"value":${text ?? 'null'}}`
  )
  return `{"references":[${texts.join(',')}]}`
}
