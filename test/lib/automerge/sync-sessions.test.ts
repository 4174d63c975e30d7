import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { SyncSessions, type Answer, type SyncSession, type SyncSessionsOptions } from '../../../lib/automerge/sync-sessions.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { silent } from '../../../lib/log.ts'

type Doc = Record<string, unknown>
const id = 'document' as DocumentId

const start = (t: Test, options: Partial<SyncSessionsOptions> = {}): SyncSessions => {
  const sessions = new SyncSessions({ log: silent, ...options })
  t.teardown(() => sessions.close())
  return sessions
}

/** What a session's owner does: keeps every change it is told of. */
class Owner {
  readonly chunks: Uint8Array[]
  readonly session: SyncSession
  lost = 0
  constructor (sessions: SyncSessions, ...chunks: Uint8Array[]) {
    this.chunks = chunks
    this.session = sessions.open(id, async () => this.chunks, () => { this.lost++ })
  }

  async keep (answer: Promise<Answer>): Promise<Answer> {
    const { changes } = await answer
    this.chunks.push(...changes)
    return await answer
  }

  load (): Automerge.Doc<Doc> { return Automerge.load<Doc>(Buffer.concat(this.chunks)) }
}

/** A peer with Automerge's own sync. */
class Peer {
  readonly name: string
  doc: Automerge.Doc<Doc>
  state: Automerge.SyncState
  constructor (name: string, doc: Automerge.Doc<Doc>, state = Automerge.initSyncState()) {
    this.name = name
    this.doc = doc
    this.state = state
  }

  change (key: string, value: unknown): void { this.doc = Automerge.change(this.doc, d => { d[key] = value }) }

  say (): Uint8Array | null {
    const [state, message] = Automerge.generateSyncMessage(this.doc, this.state)
    this.state = state
    return message
  }

  hear (message: Uint8Array): void {
    [this.doc, this.state] = Automerge.receiveSyncMessage(this.doc, this.state, message)
  }

  /** Talks until nobody has anything to say. @returns the last answer */
  async sync (owner: Owner): Promise<Answer> {
    let last = await owner.keep(owner.session.generate(this.name))
    if (last.reply !== null) this.hear(last.reply)
    for (let message = this.say(); message !== null; message = this.say()) {
      last = await owner.keep(owner.session.receive(this.name, message))
      if (last.reply !== null) this.hear(last.reply)
    }
    return last
  }
}

const from = (values: Doc, actor?: string): Automerge.Doc<Doc> => Automerge.from<Doc>(values, actor)
const fork = (doc: Automerge.Doc<Doc>): Automerge.Doc<Doc> => Automerge.clone(doc)

t.test('two peers that have diverged converge', async t => {
  const sessions = start(t)
  const base = from({ base: 1 })
  const owner = new Owner(sessions, Automerge.save(base))
  const [a, b] = [new Peer('a', fork(base)), new Peer('b', fork(base))]
  a.change('a', 1)
  b.change('b', 2)
  await a.sync(owner)
  await b.sync(owner)
  const last = await a.sync(owner)
  t.match(last, { inSync: true, held: false, heads: Automerge.getHeads(b.doc), theirHeads: Automerge.getHeads(b.doc) })
  t.strictSame(Automerge.toJS(a.doc), { base: 1, a: 1, b: 2 })
  t.strictSame(Automerge.toJS(owner.load()), Automerge.toJS(a.doc))
})
