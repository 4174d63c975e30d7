import type { Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import {
  SyncSessions, type SessionAnswer, type SyncSession, type SyncSessionsOptions
} from '../../../../lib/automerge/workers/sync-sessions.ts'
import type { DocumentId } from '../../../../lib/ids.ts'
import { silent } from '../../../../lib/log.ts'
import { encodeSyncMessage, type SyncMessage } from '../../../../lib/wire/sync-message.ts'

export type Doc = Record<string, unknown>
export type Document = Automerge.Doc<Doc>

export const id = 'document' as DocumentId

export const start = (t: Test, options: Partial<SyncSessionsOptions> = {}): SyncSessions => {
  const sessions = new SyncSessions({ log: silent, ...options })
  t.teardown(() => sessions.close())
  return sessions
}

export const from = (values: Doc, actor?: string): Document => Automerge.from<Doc>(values, actor)
export const set = (doc: Document, key: string, value: unknown): Document => Automerge.change(doc, d => {
  d[key] = value
})
export const heads = (doc: Document): Automerge.Heads => Automerge.getHeads(doc)
export const since = (doc: Document, before: Document): Uint8Array[] => Automerge.getChanges(before, doc)
export const values = (doc: Document): unknown => Automerge.toJS(doc)

/** A sync message that only carries changes. */
export const carrying = (changes: Uint8Array[], fields: Partial<SyncMessage> = {}): Uint8Array =>
  encodeSyncMessage({ version: 1, heads: [], need: [], have: [], changes, ...fields })

/** What a session's owner does: it stores the changes it is told of, and has those of others. */
export class Owner {
  readonly chunks: Uint8Array[]
  readonly session: SyncSession
  readonly known = new Set<string>()
  lost = 0

  constructor (sessions: SyncSessions, ...chunks: Uint8Array[]) {
    this.chunks = chunks
    for (const change of chunks.length === 0 ? [] : Automerge.getAllChanges(this.load())) {
      this.known.add(readChange(change).hash)
    }
    this.session = sessions.open(id, async () => this.chunks, () => { this.lost++ })
  }

  receive (peer: string, message: Uint8Array): Promise<SessionAnswer> {
    return this.#keep(this.session.receive(peer, message))
  }

  generate (peer: string): Promise<SessionAnswer> { return this.#keep(this.session.generate(peer)) }

  update (changes: Uint8Array[]): void {
    this.#store(changes)
    this.session.update(changes)
  }

  load (): Document { return Automerge.load<Doc>(Buffer.concat(this.chunks)) }

  async #keep (pending: Promise<SessionAnswer>): Promise<SessionAnswer> {
    const answer = await pending
    for (const change of answer.changes) {
      const { hash, deps } = readChange(change)
      if (this.known.has(hash)) throw new Error('told of a change that the document had')
      if (!deps.every(dep => this.known.has(dep))) throw new Error('told of a change before those it depends on')
      this.known.add(hash)
    }
    this.#store(answer.changes)
    return answer
  }

  #store (changes: Uint8Array[]): void {
    for (const change of changes) this.known.add(readChange(change).hash)
    this.chunks.push(...changes)
  }
}

/** A peer with Automerge's own sync. */
export class Peer {
  readonly name: string
  doc: Document
  state: Automerge.SyncState
  /** Before version 2 there were no flags. */
  isOld = false

  constructor (name: string, doc: Document, state = Automerge.initSyncState()) {
    this.name = name
    this.doc = Automerge.clone(doc)
    this.state = state
  }

  set (key: string, value: unknown): void { this.doc = set(this.doc, key, value) }

  say (): Uint8Array | null {
    const [state, message] = Automerge.generateSyncMessage(this.doc, this.state)
    this.state = state
    return message !== null && this.isOld ? message.subarray(0, -3) : message
  }

  hear (message: Uint8Array | null): void {
    if (message === null) return
    const [doc, state] = Automerge.receiveSyncMessage(this.doc, this.state, message)
    this.doc = doc
    this.state = state
  }

  /** One message each. @returns whether anything was said */
  async exchange (owner: Owner): Promise<SessionAnswer | null> {
    const message = this.say()
    if (message === null) return null
    const answer = await owner.receive(this.name, message)
    this.hear(answer.reply)
    return answer
  }

  /** Talks until nobody has anything to say, the session first. */
  async sync (owner: Owner): Promise<SessionAnswer> {
    let last = await owner.generate(this.name)
    this.hear(last.reply)
    for (let answer: SessionAnswer | null; (answer = await this.exchange(owner)) !== null;) last = answer
    return last
  }
}
