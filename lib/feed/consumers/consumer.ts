import type { Feed } from '../feed.ts'
import type { RecordFilter } from '../store/rows.ts'
import type { Row } from '../store/schema.ts'

const PAGE = 200 // records read at once

/** What a consumer gets: a record's JSON text, or word that what comes next is not kept any more. */
export type Told = { readonly number: number, readonly text: string } | { readonly oldest: number }

/** Whoever has no login is not shown what was looked up of whom wants none such readers. */
export function shown (row: Row, isPublic: boolean): Row {
  const [number, uri, did, timeUs, message, metadata, ...rest] = row
  if (!isPublic || !/"!(?:no-unauthenticated|hide|takedown)"/.test(metadata)) return row
  return [number, uri, did, timeUs, message, '{"references":[]}', ...rest]
}

/** A row as readers get it, put together of texts. */
export function textOfRow (row: Row, isPublic: boolean): string {
  const [number, uri, , , message, metadata, , hydratedAt, , , , , , visibility, partial] = shown(row, isPublic)
  return `{"number":${number},"uri":${JSON.stringify(uri)},"event":${message},${metadata.slice(1, -1)},` +
    `"visibility":"${visibility}","partial":${partial === 1},"hydratedAt":"${hydratedAt}"}`
}

/** What a consumer wants. */
export interface Wish {
  readonly after: number
  readonly filter: RecordFilter
  /** Whether it has no login, and is shown only what anybody may see */
  readonly isPublic: boolean
  /** Makes what is sent of a record; its own JSON unless given */
  readonly textOf?: (row: Row) => string
}

/** The oldest number that a consumer may go on after; what is before is not kept. */
export const oldestOf = ({ store }: Feed): number => store.firstNumber - 1

/**
 * The records after a number, one after the other, now and as they come. It goes on when the next is asked for: a
 * consumer that is slow waits, and is told when what it wants is not kept any more, which is the end.
 */
export async function * follow (
  feed: Feed, { after: start, filter, isPublic, textOf = row => textOfRow(row, isPublic) }: Wish, signal: AbortSignal
): AsyncGenerator<Told> {
  let after = start
  let wake = (): void => {}
  const listener = (): void => { wake() }
  feed.listeners.add(listener)
  const onAbort = (): void => { wake() }
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      if (after < oldestOf(feed)) return yield { oldest: oldestOf(feed) }
      const last = feed.store.lastNumber
      if (after >= last) {
        await new Promise<void>(resolve => {
          wake = resolve
          if (feed.store.lastNumber > last || signal.aborted) resolve()
        })
        continue
      }
      const { rows, next } = await feed.store.rows.page(after, PAGE, filter)
      for (const row of rows) {
        if (signal.aborted) return
        yield { number: row[0], text: textOf(row) }
      }
      after = Math.max(after, next)
    }
  } finally {
    feed.listeners.delete(listener)
    signal.removeEventListener('abort', onAbort)
  }
}
