import { setTimeout as sleep } from 'node:timers/promises'
import type { Jetstream, WireEvent } from './jetstream.ts'

let count = 0

const COLLECTIONS = ['app.bsky.feed.post', 'app.bsky.feed.like', 'app.bsky.graph.follow', 'app.bsky.actor.profile']

const letters = (n: number): string => n.toString(36).padStart(6, '2')

/** An event of an invented network; its time is now unless told. */
export function invent (
  given: Partial<WireEvent> & { collection?: string, operation?: string, record?: unknown, rev?: string } = {}
): WireEvent {
  const n = count++
  const { collection = COLLECTIONS[n % COLLECTIONS.length]!, operation = 'create', record, rev, ...members } = given
  const did = given.did ?? `did:plc:${letters(n % 50).padStart(24, 'a')}`
  const time = given.time_us ?? Date.now() * 1000
  if (given.kind !== undefined && given.kind !== 'commit') {
    const body = given[given.kind] as object | undefined
    return {
      did,
      time_us: time,
      kind: given.kind,
      [given.kind]: {
        did, seq: n + 1, time: '2026-01-08T10:57:43.950Z', ...given.kind === 'account' && { active: true }, ...body
      }
    }
  }
  const commit = { rev: rev ?? `3k${letters(n)}`, operation, collection, rkey: `r${letters(n)}` }
  const made = {
    record: record ?? { $type: collection, text: `number ${n}`, createdAt: '2026-01-08T10:57:42.757Z' },
    cid: `bafyrei${letters(n)}`
  }
  return {
    did, time_us: time, kind: 'commit', commit: operation === 'delete' ? commit : { ...commit, ...made }, ...members
  }
}

/** Something happens: a commit, or every tenth time an identity or an account event. */
export function happen (server: Jetstream, given: Parameters<typeof invent>[0] = {}): WireEvent {
  const kind = given.kind ??
    (count % 10 === 9 && given.collection === undefined ? (count % 20 === 9 ? 'identity' : 'account') : 'commit')
  const event = invent({ ...given, kind })
  server.push(event)
  return event
}

/** Resolves when something is so; the test's own timeout ends a wait in vain. */
export async function until (holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!await holds()) await sleep(5)
}
