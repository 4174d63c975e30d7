import type { Position, Wire } from './position.ts'

/** What was done to one record of an account. */
export interface Commit {
  readonly rev: string
  /** `create`, `update` or `delete`; take others as they come */
  readonly operation: string
  readonly collection: string
  readonly rkey: string
  /** Anybody's JSON: of any shape, whatever `$type` says. Not there when it is deleted */
  readonly record?: unknown
  readonly cid?: string
}

/** What became of an account. `active: false` hides what is its own, whatever the status; `deleted` erases it. */
export interface Account {
  readonly active: boolean
  /** `takendown`, `suspended`, `deleted`, `deactivated`, `desynchronized`, `throttled`; take others as they come */
  readonly status?: string
}

/** One event of the stream, the same whichever wire and host it came by. */
export interface FeedEvent {
  /**
   * The event as JSON in the form of wire v1, without line breaks. On v1 these are the characters as they came; on v2
   * it is put together from the message's members, with `seq` as `cursor`, as newer servers do on v1.
   */
  readonly text: string
  /**
   * What makes it this event and no other, on both wires and every host: of a commit
   * `did rev collection rkey operation`
   */
  readonly id: string
  /** `commit`, `identity`, `account`, `sync`; take others as they come */
  readonly kind: string
  readonly did: string
  /** µs since 1970; not in order, and not an identity */
  readonly timeUs: number
  /** `at://<did>/<collection>/<rkey>` of a commit, `at://<did>` of anything else */
  readonly uri: string
  /** The server's sequence number, where it tells one */
  readonly seq: number | undefined
  /** Of `commit` only */
  readonly commit: Commit | undefined
  /** Of `account` only */
  readonly account: Account | undefined
  /** Of `identity` only: the handle as it is now, where it is told */
  readonly handle: string | undefined
}

/** A frame that is no event. It becomes a dead letter. */
export class NotAnEvent extends Error {
  constructor (problem: string, options?: { cause?: unknown }) {
    super(`not an event: ${problem}`, options)
    this.name = 'NotAnEvent'
  }
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && value as number >= 0

/** Parts an event as v1 sends it, and as it is kept. @throws NotAnEvent */
export function parseEvent (text: string): FeedEvent {
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch (cause) {
    throw new NotAnEvent('no JSON', { cause })
  }
  return eventOf(event, text)
}

/** @param text the event's JSON, made of it when it is not given. @throws NotAnEvent */
export function eventOf (event: unknown, text?: string): FeedEvent {
  if (!isObject(event)) throw new NotAnEvent('no object')
  const { did, time_us: timeUs, kind, cursor } = event
  if (!isText(did) || !did.startsWith('did:')) throw new NotAnEvent('no did')
  if (!isCount(timeUs)) throw new NotAnEvent('no time_us')
  if (!isText(kind)) throw new NotAnEvent('no kind')
  const commit = kind === 'commit' ? commitOf(event['commit']) : undefined
  const account = kind === 'account' ? accountOf(event['account']) : undefined
  const identity = isObject(event['identity']) ? event['identity'] : {}
  return {
    text: text ?? JSON.stringify(event),
    id: commit === undefined
      ? `${did} ${kind} ${numberOf(event[kind]) ?? `${timeUs} ${String(cursor)}`}`
      : `${did} ${commit.rev} ${commit.collection} ${commit.rkey} ${commit.operation}`,
    kind,
    did,
    timeUs,
    uri: commit === undefined ? `at://${did}` : `at://${did}/${commit.collection}/${commit.rkey}`,
    seq: isCount(cursor) ? cursor : undefined,
    commit,
    account,
    handle: kind === 'identity' && isText(identity['handle']) ? identity['handle'] : undefined
  }
}

function commitOf (commit: unknown): Commit {
  if (!isObject(commit)) throw new NotAnEvent('a commit without one')
  const { rev, operation, collection, rkey } = commit
  if (!isText(rev) || !isText(operation) || !isText(collection) || !isText(rkey)) {
    throw new NotAnEvent('a commit without rev, operation, collection or rkey')
  }
  return commit as unknown as Commit
}

function accountOf (account: unknown): Account {
  if (!isObject(account) || typeof account['active'] !== 'boolean') throw new NotAnEvent('an account without active')
  const { active, status } = account
  return isText(status) ? { active, status } : { active }
}

/** What identifies an event about an account: the network's own number of it, the same on every host. */
function numberOf (body: unknown): string | undefined {
  if (!isObject(body)) return undefined
  const { seq, rev } = body
  return isCount(seq) ? String(seq) : isText(rev) ? rev : undefined
}

/** Where the stream stands after an event. */
export const positionOf = ({ seq, timeUs }: FeedEvent, host: string, wire: Wire): Position =>
  ({ host, wire, cursor: wire === 'v2' && seq !== undefined ? seq : timeUs, timeUs })
