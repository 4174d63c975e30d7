import { RelayError, messageOf } from '../errors.ts'
import type { DeadLetter } from './pipeline/dead-letters.ts'
import type { Feed } from './feed.ts'
import { v1 } from './source/v1.ts'
import { v2 } from './source/v2.ts'

/**
 * Tries a dead letter again: a frame is read, a record is offered to the sink that refused it.
 * @returns why it is still one; undefined when it is none any more
 * @throws RelayError RELAY_DEAD_LETTER_NOT_FOUND
 */
export async function retry (feed: Feed, id: string): Promise<string | undefined> {
  const letter = feed.deadLetters.get(id)
  if (letter === undefined) throw new RelayError('RELAY_DEAD_LETTER_NOT_FOUND', 'Dead letter not found')
  const problem = letter.from === 'source' ? reread(feed, letter) : await offer(feed, letter)
  if (problem === undefined) await feed.deadLetters.remove([id])
  return problem
}

function reread (feed: Feed, { frame = '' }: DeadLetter): string | undefined {
  const { position } = feed.source
  if (position === undefined) return 'the feed has not begun'
  for (const { read } of [v1, v2]) {
    try {
      const found = read(frame)
      if (found.kind !== 'event') return 'it is no event'
      feed.buffer.add(found.event, position)
      return undefined
    } catch {} // it may be of the other wire
  }
  return 'it is no event'
}

async function offer (feed: Feed, { from, number = 0 }: DeadLetter): Promise<string | undefined> {
  const follower = feed.followers.find(({ sink }) => sink.name === from)
  if (follower === undefined) return `there is no sink ${from}`
  const [record] = (await feed.store.rows.records(number - 1, 1)).records
  if (record?.number !== number) return 'the record is not kept any more'
  try {
    return (await follower.sink.write([record], AbortSignal.timeout(30_000)))[0]?.reason
  } catch (error) {
    return messageOf(error)
  }
}
