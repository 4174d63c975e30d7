import type { SyncMode } from '../../automerge/workers/sync-document.ts'
import type { SessionAnswer, SyncSession } from '../../automerge/workers/sync-sessions.ts'
import { RelayError } from '../../errors.ts'
import type { FallbackCause, DocumentContext } from '../context.ts'
import type { Follower } from './follower.ts'
import type { TrackedDocument } from './tracked-document.ts'
import { refusalOf } from '../refusal.ts'
import { encodeSyncMessage } from '../../wire/sync-message.ts'

const LINGERS_FOR = 2_000 // ms the document stays open in Automerge without a peer that needs it
const MERGE = 'merge' // no peer's key

/** The peers of the document, as the fallback sees them. */
export interface FallbackPeers {
  /** Sends a message that Automerge made. */
  reply (follower: Follower, data: Uint8Array): void
  /** A peer needs the fallback no more. @param version which it has */
  steady (follower: Follower, version: number): void
  /** A peer cannot be answered. */
  fail (follower: Follower, error: RelayError): void
}

/** `open`: calls that are not answered. `isDue`: there is more to tell once they are. */
interface Talk { open: number, isDue: boolean }

/**
 * Automerge's own sync, for the peers of one document about whom the relay cannot tell by itself what they have. The
 * document is opened for that in a worker and let go when the last of them is steady.
 */
export class Fallback {
  readonly #document: TrackedDocument
  readonly #peers: FallbackPeers
  readonly #context: DocumentContext
  readonly #talks = new Map<Follower, Talk>()
  #session: SyncSession | undefined
  /** The version the session has been told, and the versions it had after each update. */
  #told = 0
  #versions: number[] = []
  #merges = 0
  #timer: NodeJS.Timeout | undefined

  constructor (document: TrackedDocument, peers: FallbackPeers, context: DocumentContext) {
    this.#document = document
    this.#peers = peers
    this.#context = context
  }

  get isActive (): boolean { return this.#session !== undefined }

  /** The version after which every change is still needed here. */
  get keeps (): number { return this.isActive ? this.#told : Infinity }

  /** Takes on a peer. @param message its message that could not be answered; without one, Automerge starts */
  enter (follower: Follower, cause: FallbackCause, message?: Uint8Array): void {
    this.#context.meter.fallback(cause)
    this.#context.log.debug(
      { documentId: this.#document.id, peer: follower.peer.key, cause }, 'sync is left to Automerge'
    )
    follower.fallsBack()
    this.#talks.set(follower, { open: 0, isDue: false })
    if (message === undefined) this.#generate(follower)
    else this.receive(follower, message)
  }

  /** A message of a peer that has been taken on; what it carries has been checked in form. */
  receive (follower: Follower, message: Uint8Array): void {
    const mode = syncMode(follower)
    const release = follower.peer.hold(message.length)
    this.#ask(follower, async session => {
      try {
        return await session.receive(follower.peer.key, message, mode)
      } finally {
        release()
      }
    })
  }

  /** Tells the session what the document got elsewhere, and its peers what there is to tell. */
  flush (): void {
    if (this.#session === undefined) return
    this.#update(this.#session)
    this.#generateAll()
  }

  leave (follower: Follower): void {
    if (!this.#talks.delete(follower)) return
    this.#session?.leave(follower.peer.key)
    this.#rest()
  }

  /** Merges chunks as if a peer had sent them; resolves when what is new of them is durable. */
  async merge (chunks: Uint8Array): Promise<void> {
    this.#context.meter.fallback('merge')
    const session = this.#open()
    this.#merges++
    try {
      const message = encodeSyncMessage({ version: 2, heads: [], need: [], have: [], changes: [chunks] })
      const { changes, held } = await session.receive(MERGE, message)
      if (held) throw new RelayError('RELAY_DOCUMENT_INVALID', 'changes it depends on are missing')
      this.#document.addApplied(changes)
      await this.#document.whenDurable()
    } catch (cause) {
      if (!(cause instanceof RelayError) || cause.code !== 'RELAY_SYNC_INVALID') throw cause
      throw new RelayError('RELAY_DOCUMENT_INVALID', cause.message, { cause })
    } finally {
      this.#merges--
      session.leave(MERGE)
      this.#rest()
    }
  }

  close (): void {
    clearTimeout(this.#timer)
    this.#talks.clear()
    this.#session?.close()
    this.#session = undefined
  }

  #generateAll (): void {
    for (const follower of this.#talks.keys()) this.#generate(follower)
  }

  #generate (follower: Follower): void {
    const talk = this.#talks.get(follower)!
    // while something is on its way the answer to that will tell it all
    if (talk.open > 0) talk.isDue = true
    else {
      const mode = syncMode(follower)
      this.#ask(follower, session => session.generate(follower.peer.key, mode))
    }
  }

  #ask (follower: Follower, call: (session: SyncSession) => Promise<SessionAnswer>): void {
    const talk = this.#talks.get(follower)!
    const session = this.#open()
    talk.open++
    talk.isDue = false
    const answered = async (): Promise<void> => {
      const answer = await call(session)
      this.#document.addApplied(answer.changes, follower)
      await this.#document.whenDurable()
      if (this.#talks.get(follower) !== talk) return
      talk.open--
      this.#answered(follower, talk, answer)
    }
    answered().catch((cause: unknown) => {
      const error = refusalOf(cause)
      // anything else is the session's own, not this call's: it is opened anew when it is needed
      if (error.code !== 'RELAY_SYNC_INVALID' && this.#session === session) {
        this.#session = undefined
        session.close()
      }
      if (this.#talks.get(follower) !== talk) return
      this.leave(follower)
      this.#peers.fail(follower, error)
    })
  }

  #answered (follower: Follower, talk: Talk, { reply, inSync, updates }: SessionAnswer): void {
    if (reply !== null) this.#peers.reply(follower, reply)
    if (follower.standing !== 'fallback') this.leave(follower) // it takes no message as large as the answer
    if (talk.open > 0 || !this.#talks.has(follower)) return
    const version = this.#versions[updates]!
    if (inSync && version >= this.#document.history.base) {
      this.leave(follower)
      this.#peers.steady(follower, version)
    } else if (talk.isDue) {
      this.#generate(follower)
    }
  }

  #open (): SyncSession {
    clearTimeout(this.#timer)
    if (this.#session !== undefined) return this.#session
    const { documents, sessions } = this.#context
    const { id, history } = this.#document
    this.#told = history.version
    this.#versions = [this.#told]
    this.#session = sessions.open(id, () => documents.chunks(id), () => { this.#generateAll() })
    return this.#session
  }

  #update (session: SyncSession): void {
    const entries = this.#document.since(this.#told)
    if (entries.length === 0) return
    this.#told += entries.length
    this.#versions.push(this.#told)
    session.update(entries.map(({ bytes }) => bytes))
  }

  /** Lets the document go after a while in which nobody needs it. */
  #rest (): void {
    if (this.#talks.size > 0 || this.#merges > 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { if (this.#talks.size === 0 && this.#merges === 0) this.close() }, LINGERS_FOR)
    this.#timer.unref()
  }
}

/** How Automerge is to treat what a peer brings. */
function syncMode (follower: Follower): SyncMode | undefined {
  if (follower.isReadOnly) return 'readOnly'
  return follower.wasAskedAgain() ? 'again' : undefined
}
