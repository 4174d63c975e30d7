import { RelayError, messageFor } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { Connection, Transport } from '../engine.ts'
import type { Grant } from './grant.ts'
import type { SyncProtocol } from '../protocol/sync-protocol.ts'
import {
  decodeFrame, encodeFrame, encodeFrameHead, encodeTarget,
  type EphemeralFrame, type FrameType, type OutgoingFrame, type PeerFrame, type PeerMetadata, type SyncFrame,
  type UnavailableFrame
} from '../../wire/frame.ts'
import { refusalOf } from '../refusal.ts'

/** What the relay says of itself to a peer. */
export interface Self {
  peerId: string
  metadata: PeerMetadata
  /** Those it speaks, the one it likes best first */
  protocols: readonly [SyncProtocol, ...SyncProtocol[]]
}

/** What happens on a connection, for the engine. */
export interface ConnectionEvents {
  /** What it follows now. */
  followed (peer: PeerConnection): ReadonlySet<DocumentId>
  joined (peer: PeerConnection): void
  frame (peer: PeerConnection, frame: SyncFrame | UnavailableFrame | EphemeralFrame): void
  unfollowed (peer: PeerConnection, id: DocumentId): void
  /** What it may do is to be asked anew. */
  reassessed (peer: PeerConnection): void
  gone (peer: PeerConnection): void
}

/** What happens on a connection, for the metrics and the log. */
export interface ConnectionReports {
  received (type: FrameType | 'invalid', bytes: number): void
  sent (type: FrameType, bytes: number): void
  refused (peer: PeerConnection, error: RelayError): void
  /** Something of it is not taken, and it stays. */
  denied (peer: PeerConnection, error: RelayError): void
}

/** What all connections have in common. */
export interface ConnectionParts {
  readonly self: Self
  readonly limits: ConnectionLimits
  readonly events: ConnectionEvents
  readonly reports: ConnectionReports
}

export interface ConnectionLimits {
  /** bytes a peer may leave unread */
  maxBacklog: number
  /** ms until `join` must have come */
  handshakeTimeout: number
}

const MAX_UNREAD = 256 * 1024 // bytes after which a peer is sent nothing that can wait

const MAX_REASON_BYTES = 123 // RFC 6455 section 5.5: a control frame carries 125, two are the code

const NOTHING = new Uint8Array()

/**
 * One peer on one transport: handshake, checks, counting, and the bound on what it leaves unread. Whatever goes wrong
 * here ends this connection with a code and a reason and nothing else.
 */
export class PeerConnection implements Connection {
  /** The engine's own name for it, unique even when two sockets claim one peer id. */
  readonly key: string
  /** The id the peer chose; empty until it joined. */
  peerId = ''
  /** What it may do; everything without one. */
  readonly grant: Grant | undefined
  readonly #transport: Transport
  readonly #self: Self
  readonly #limits: ConnectionLimits
  readonly #events: ConnectionEvents
  readonly #reports: ConnectionReports
  readonly #handshake: NodeJS.Timeout
  #target: Uint8Array = NOTHING
  #protocol: SyncProtocol
  #readsNotices: boolean
  #state: 'joining' | 'open' | 'over' = 'joining'
  /** Bytes of messages that wait. */
  #held = 0

  constructor (key: string, transport: Transport, parts: ConnectionParts, grant?: Grant) {
    const { self, limits, events, reports } = parts
    this.key = key
    this.grant = grant
    this.#readsNotices = grant?.readsNotices ?? false
    this.#transport = transport
    this.#self = self
    this.#protocol = self.protocols[0]
    this.#limits = limits
    this.#events = events
    this.#reports = reports
    this.#handshake = setTimeout(() => {
      this.refuse(new RelayError('RELAY_HANDSHAKE_TIMEOUT', `no join within ${limits.handshakeTimeout} ms`))
    }, limits.handshakeTimeout)
    this.#handshake.unref()
  }

  get open (): boolean { return this.#state === 'open' }

  get source (): string | undefined { return this.#transport.source }

  get followed (): ReadonlySet<DocumentId> { return this.#events.followed(this) }

  receive (bytes: Uint8Array): void {
    if (this.#state === 'over') return
    try {
      const frame = this.#decode(bytes)
      this.#reports.received(frame.type, bytes.length)
      this.#handle(frame)
    } catch (error) {
      this.refuse(refusalOf(error))
    }
  }

  unfollow (id: DocumentId): void {
    this.#events.unfollowed(this, id)
  }

  refuse (error: RelayError): void {
    if (this.#state === 'over') return
    this.#reports.refused(this, error)
    this.#end()
    this.#transport.close(error.closeCode, reason(error))
  }

  reassess (): void {
    if (this.#state === 'open') this.#events.reassessed(this)
  }

  /** Something of the peer's is not taken: it is told, if it reads that. */
  deny (documentId: DocumentId, error: RelayError): void {
    const { code } = error
    if (code === 'RELAY_ACCESS_DENIED') this.grant?.denied()
    this.#reports.denied(this, error)
    if (this.#readsNotices) this.#notify({ documentId, code, message: messageFor(error) })
  }

  closed (): void {
    if (this.#state !== 'over') this.#end()
  }

  /** Has more bytes count as read than were sent. */
  charge (bytes: number): void { if (bytes > 0) this.#transport.charge?.(bytes) }

  /** Bytes sent that the peer has not read yet. */
  get backlog (): number { return this.#transport.backlog }

  /** Whether it has left so much unread that it is sent nothing that can wait. */
  get isFull (): boolean { return this.#transport.backlog > MAX_UNREAD }

  /** How what it says and is told about documents is written. */
  get protocol (): SyncProtocol { return this.#protocol }

  /** Whether the peer reads so large a message. @param bytes of its head */
  hasRoomFor (bytes: number): boolean { return bytes + this.#target.length <= (this.#transport.maxMessage ?? Infinity) }

  /** Sends a frame of a document. */
  send (frame: OutgoingFrame): void {
    if (this.#state === 'open') this.sendHeads(frame.type, [encodeFrameHead({ senderId: this.#self.peerId, ...frame })])
  }

  /**
   * Sends frames that may go to many, of `encodeFrameHead`. A peer that has left too much unread is closed, it will
   * resync when it is back; one frame may be larger than that.
   */
  sendHeads (type: FrameType, heads: readonly Uint8Array[]): void {
    if (this.#state !== 'open') return
    if (this.#transport.backlog > this.#limits.maxBacklog) {
      this.refuse(new RelayError('RELAY_PEER_SLOW', `more than ${this.#limits.maxBacklog} bytes unread`))
      return
    }
    this.#transport.send(heads, this.#target)
    for (const { length } of heads) this.#reports.sent(type, length + this.#target.length)
  }

  /**
   * Counts a message that cannot be seen to at once, until the returned function is called.
   * @throws RelayError RELAY_PEER_SLOW when the peer has too much of that
   */
  hold (bytes: number): () => void {
    if (this.#held > 0 && this.#held + bytes > this.#limits.maxBacklog) {
      throw new RelayError(
        'RELAY_PEER_SLOW', `more than ${this.#limits.maxBacklog} bytes sent ahead of what can be seen to`
      )
    }
    this.#held += bytes
    return () => { this.#held -= bytes }
  }

  #decode (bytes: Uint8Array): PeerFrame {
    try {
      return decodeFrame(bytes)
    } catch (error) {
      this.#reports.received('invalid', bytes.length)
      throw error
    }
  }

  #handle (frame: PeerFrame): void {
    if (frame.type === 'join') {
      this.#join(frame.senderId, frame.versions)
      return
    }
    if (this.#state !== 'open') throw new RelayError('RELAY_FRAME_UNEXPECTED', `${frame.type} before join`)
    // ephemeral messages are passed on by peers of peers under their first sender's id
    if (frame.type !== 'ephemeral' && frame.senderId !== this.peerId) {
      throw new RelayError('RELAY_FRAME_UNEXPECTED', 'senderId is not the id that joined')
    }
    switch (frame.type) {
      case 'sync':
      case 'request':
      case 'doc-unavailable':
      case 'ephemeral':
        this.#events.frame(this, frame)
        break
      case 'access':
        this.#readsNotices = true
        this.#renew(frame.token).catch((error: unknown) => { this.refuse(refusalOf(error)) })
        break
      case 'leave':
        this.#end()
        this.#transport.close(1000, 'left')
        break
    }
  }

  #join (senderId: string, versions: string[]): void {
    if (this.#state === 'open' && senderId !== this.peerId) {
      throw new RelayError('RELAY_FRAME_UNEXPECTED', 'joined already as another peer')
    }
    const { peerId, metadata, protocols } = this.#self
    const protocol = protocols.find(({ version }) => versions.includes(version))
    if (protocol === undefined) {
      const message = 'unsupported protocol version'
      this.#deliver('error', encodeFrame({ type: 'error', senderId: peerId, targetId: senderId, message }))
      throw new RelayError('RELAY_PROTOCOL_VERSION', `${message}: this relay speaks ` +
        `${protocols.map(({ version }) => `"${version}"`).join(', ')}`)
    }
    clearTimeout(this.#handshake)
    this.peerId = senderId
    this.#target = encodeTarget(senderId)
    this.#protocol = protocol
    this.#deliver('peer', encodeFrame({
      type: 'peer',
      senderId: peerId,
      targetId: senderId,
      peerMetadata: metadata,
      selectedProtocolVersion: protocol.version
    }))
    if (this.#state === 'joining') {
      this.#state = 'open'
      this.#events.joined(this)
    }
  }

  /** Takes a new token; one that is refused changes nothing. */
  async #renew (token: string | undefined): Promise<void> {
    const { grant } = this
    try {
      if (token !== undefined) await grant?.renew(token)
      if (this.#state === 'open') this.#notify({ expires: grant?.expires })
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
      if (this.#state === 'open') this.#notify({ code: error.code, message: messageFor(error) })
    }
  }

  #notify (notice: { expires?: number | undefined, documentId?: DocumentId, code?: string, message?: string }): void {
    this.#deliver('access', encodeFrame({
      type: 'access', senderId: this.#self.peerId, targetId: this.peerId, ...notice
    }))
  }

  #deliver (type: FrameType, bytes: Uint8Array): void {
    this.#transport.send([bytes], NOTHING)
    this.#reports.sent(type, bytes.length)
  }

  #end (): void {
    clearTimeout(this.#handshake)
    this.#state = 'over'
    this.grant?.detach()
    this.#events.gone(this)
  }
}

/** `CODE: message`, cut to what a close frame holds. */
function reason (error: RelayError): string {
  const bytes = Buffer.from(`${error.code}: ${messageFor(error)}`)
  return bytes.length <= MAX_REASON_BYTES
    ? bytes.toString()
    : bytes.subarray(0, MAX_REASON_BYTES - 3).toString('latin1').replace(/[^\x20-\x7e]/g, '?') + '...'
}
