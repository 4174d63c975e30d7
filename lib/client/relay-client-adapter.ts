import { NetworkAdapter, cbor } from '@automerge/automerge-repo/slim'
import type { DocumentId, Message, PeerId, PeerMetadata } from '@automerge/automerge-repo/slim'
import { Backoff, type BackoffOptions } from './backoff.ts'
import { refusalOf, statusOf, type ConnectionState, type ConnectionStatus, type Refusal } from './connection-state.ts'
import { DurableHeads } from './durable-heads.ts'
import { askWhy } from './refused-opening.ts'
import { SUBPROTOCOL, isFrame, isSync, protocolsFor, type Incoming, type OwnFrame } from './frames.ts'
import { headsOf, idOf, type Saveable } from './saveable.ts'
import { OPEN, type OpenSocket, type Socket } from './socket.ts'
import { Renewal } from './renewal.ts'
import { Stall } from './stall.ts'
import { syncHeads } from './sync-heads.ts'

export interface RelayClientOptions {
  /** Asked for a token before each connection, and before the last one expires; undefined for none. */
  token?: (() => string | undefined | Promise<string | undefined>) | undefined
  /** Told of changes that the relay does not take: read-only, a limit, … */
  onDenied?: ((documentId: DocumentId, code: string, message: string) => void) | undefined
  retry?: BackoffOptions | undefined
  openSocket: OpenSocket
}

/** What the adapter tells beside the events of automerge-repo's network adapters. */
interface OwnEvents {
  on (event: 'state', listener: (state: ConnectionState) => void): unknown
  on (event: 'unsaved', listener: (change: { documentId: DocumentId, unsaved: boolean }) => void): unknown
  off (event: 'state', listener: (state: ConnectionState) => void): unknown
  off (event: 'unsaved', listener: (change: { documentId: DocumentId, unsaved: boolean }) => void): unknown
  emit (event: 'state', state: ConnectionState): boolean
  emit (event: 'unsaved', change: { documentId: DocumentId, unsaved: boolean }): boolean
}

const FORCE_READY = 1_000 // ms that documents wait for the relay before they may be called unavailable
const SEND_DELAY = 150 // ms: a Repo holds changes back for 100
const STABLE = 10_000 // ms after which a connection counts as one that works

/** One socket from its opening to its end. What an older one still says is not heard. */
interface Attempt {
  socket?: Socket
  peer?: PeerId
  opened: boolean
  token?: string | undefined
  refusal?: Refusal
  /** When it began, or the peer joined; ms of a clock that nobody sets */
  since: number
}

/**
 * A network adapter for automerge-repo that signs in, returns by itself, never throws, and tells when what a document
 * holds is durable at the relay. It works with every server of automerge-repo's WebSocket protocol; on others than a
 * relay "durable" means that the server has it.
 */
export class RelayClientAdapter extends (NetworkAdapter as unknown as abstract new () => NetworkAdapter & OwnEvents) {
  readonly #url: string
  readonly #options: RelayClientOptions
  readonly #backoff: Backoff
  readonly #durable = new DurableHeads((documentId, unsaved) => {
    this.emit('unsaved', { documentId: documentId as DocumentId, unsaved })
  })

  readonly #renewal = new Renewal(() => { this.#renew(this.#attempt) })
  readonly #stall = new Stall(() => { this.#lost({ message: 'nothing was taken or answered for half a minute' }) })

  readonly #ready: Promise<void>
  #setReady = (): void => {}
  #isReady = false
  #attempt: Attempt | undefined
  #storageId: string | undefined
  #state: ConnectionState = { status: 'stopped' }
  #retry: ReturnType<typeof setTimeout> | undefined

  /** @param url `ws://` or `wss://`; a token does not belong into it */
  constructor (url: string, options: RelayClientOptions) {
    super()
    this.#url = url
    this.#options = options
    this.#backoff = new Backoff(options.retry)
    this.#ready = new Promise(resolve => { this.#setReady = () => { this.#isReady = true; resolve() } })
  }

  get state (): ConnectionState { return this.#state }

  isReady (): boolean { return this.#isReady }

  async whenReady (): Promise<void> { await this.#ready }

  connect (peerId: PeerId, peerMetadata: PeerMetadata = {}): void {
    this.peerId = peerId
    this.peerMetadata = peerMetadata
    setTimeout(this.#setReady, FORCE_READY)
    listeningWhenOnline(this.reconnect, true)
    this.#start()
  }

  /** Tries again at once: after a sign-in, or when the relay had taken access back. */
  readonly reconnect = (): void => {
    if (this.peerId === undefined || this.#state.status === 'connected' || this.#state.status === 'connecting') return
    this.#backoff.reset()
    this.#start()
  }

  disconnect (): void {
    listeningWhenOnline(this.reconnect, false)
    this.#end()
    this.#tell({ status: 'stopped' })
    this.emit('close')
  }

  /** Sends what can be sent; a Repo syncs again with whom it is connected to again. */
  send (message: Message): void {
    const { socket, peer } = this.#attempt ?? {}
    if (socket?.readyState !== OPEN || peer === undefined) return
    if (message.data !== undefined && message.data.length === 0) return
    this.#write(socket, message)
    const heads = isSync(message) ? syncHeads(message.data) : undefined
    if (heads !== undefined) this.#durable.sent(message.documentId!, heads)
  }

  /** Whether the relay has told that it has everything the document holds. */
  isSaved (document: Saveable): boolean {
    return this.#durable.has(idOf(document), headsOf(document) ?? this.#durable.own(idOf(document)))
  }

  /**
   * Resolves when everything that the document holds now is durable at the relay, however long that takes. Given an id
   * it is about what has been handed to the adapter, within the delay of a Repo; given a handle it is exact.
   * @param signal ends the wait: it rejects with the signal's reason
   */
  async saved (document: Saveable, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const documentId = idOf(document)
    const asked = headsOf(document)
    if (asked === undefined) await new Promise(resolve => setTimeout(resolve, SEND_DELAY))
    // what the document holds later holds what it held, too
    const isSaved = (): boolean =>
      (asked !== undefined && this.#durable.has(documentId, asked)) || this.isSaved(document)
    await new Promise<void>((resolve, reject) => {
      const settle = (end: () => void): void => {
        stop()
        signal?.removeEventListener('abort', abort)
        end()
      }
      const abort = (): void => { settle(() => { reject(signal!.reason) }) }
      const look = (): void => { if (isSaved()) settle(resolve) }
      const stop = this.#durable.onStored(id => { if (id === documentId) look() })
      signal?.addEventListener('abort', abort)
      if (signal?.aborted === true) abort()
      else look()
    })
  }

  #start (): void {
    this.#end()
    const attempt: Attempt = { opened: false, since: performance.now() }
    this.#attempt = attempt
    this.#tell({ status: 'connecting' })
    this.#open(attempt).catch((error: unknown) => {
      if (attempt === this.#attempt) this.#lost({ message: error instanceof Error ? error.message : String(error) })
    })
  }

  async #open (attempt: Attempt): Promise<void> {
    attempt.token = await this.#options.token?.()
    if (attempt !== this.#attempt) return
    const socket = await this.#options.openSocket(this.#url, protocolsFor(attempt.token))
    if (attempt !== this.#attempt) {
      socket.addEventListener('error', () => {}) // of a socket that is closed before it is open
      socket.close()
      return
    }
    attempt.socket = socket
    socket.binaryType = 'arraybuffer'
    const heard = <Args extends unknown[]>(hear: (...args: Args) => void) => (...args: Args): void => {
      if (attempt === this.#attempt) hear(...args)
    }
    socket.addEventListener('open', heard(() => {
      attempt.opened = true
      const { peerId: senderId, peerMetadata } = this
      this.#write(socket, { type: 'join', senderId, peerMetadata, supportedProtocolVersions: ['1'] })
    }))
    socket.addEventListener('message', heard(({ data }: { data: unknown }) => { this.#receive(attempt, data) }))
    socket.addEventListener('error', () => {}) // a close follows, which says as much
    socket.addEventListener('close', heard(({ reason }: { reason: string }) => { this.#closed(attempt, reason) }))
  }

  #receive (attempt: Attempt, data: unknown): void {
    this.#stall.heard()
    let message: Incoming
    try {
      message = cbor.decode(new Uint8Array(data as ArrayBuffer)) as Incoming
    } catch {
      return // no frame of the protocol: a later one may be
    }
    if (isFrame(message, 'peer')) this.#joined(attempt, message.senderId, message.peerMetadata)
    else if (isFrame(message, 'error')) attempt.refusal = { message: message.message }
    else if (isFrame(message, 'access')) this.#accessTold(attempt, message)
    else {
      const heads = isSync(message) ? syncHeads(message.data) : undefined
      this.emit('message', message)
      if (heads !== undefined) this.#durable.stored((message as { documentId: string }).documentId, heads)
    }
  }

  #joined (attempt: Attempt, peerId: PeerId, peerMetadata: PeerMetadata = {}): void {
    attempt.peer = peerId
    attempt.since = performance.now()
    if (this.#storageId !== peerMetadata.storageId) this.#durable.forget()
    this.#storageId = peerMetadata.storageId
    this.#stall.watch(attempt.socket!)
    if (attempt.socket?.protocol === SUBPROTOCOL) this.#show(attempt) // asks how long the token holds, and for notices
    this.#setReady()
    this.#tell({ status: 'connected' })
    this.emit('peer-candidate', { peerId, peerMetadata })
  }

  /** How long a token holds, or what was not taken and why. */
  #accessTold (attempt: Attempt, { documentId, code, message = '', expires }: OwnFrame & { type: 'access' }): void {
    if (documentId !== undefined) this.#options.onDenied?.(documentId, code ?? '', message)
    else if (code !== undefined) attempt.refusal = { code, message }
    else if (expires !== undefined) this.#renewal.expects(expires)
  }

  #renew (attempt: Attempt | undefined): void {
    if (attempt === undefined) return
    Promise.resolve(this.#options.token?.()).then(token => {
      if (attempt !== this.#attempt || token === undefined) return
      attempt.token = token
      this.#show(attempt)
    }, () => {}) // the old one holds on; without another the relay closes, and the next connection asks again
  }

  #show ({ socket, peer: targetId, token }: Attempt): void {
    const frame = { type: 'access', senderId: this.peerId, targetId }
    this.#write(socket!, token === undefined ? frame : { ...frame, token })
  }

  #closed (attempt: Attempt, reason: string): void {
    const told = reason === '' ? attempt.refusal ?? {} : refusalOf(reason)
    if (attempt.opened || told.code !== undefined) { this.#lost(told); return }
    // browsers do not tell why an upgrade was refused
    this.#end()
    const asking: Attempt = { opened: false, since: performance.now() }
    this.#attempt = asking
    askWhy(this.#url, attempt.token).then(refusal => { if (asking === this.#attempt) this.#lost(refusal) }, () => {
      if (asking === this.#attempt) this.#lost({})
    })
  }

  /** There is no connection any more: says why, and tries again unless that is forbidden. */
  #lost (refusal: Refusal): void {
    const status = statusOf(refusal)
    const worked = this.#attempt?.peer !== undefined && performance.now() - this.#attempt.since > STABLE
    if (worked) this.#backoff.reset()
    const again = status === 'expired' && worked ? 0 : this.#backoff.next(refusal.retryAfter)
    this.#end()
    const { code, message } = refusal
    if (status === 'stopped') { this.#tell({ status, code, message }); return }
    this.#retry = setTimeout(() => { this.#start() }, again)
    this.#tell({ status, code, message, retryAt: Date.now() + again })
  }

  #end (): void {
    clearTimeout(this.#retry)
    this.#renewal.stop()
    this.#stall.stop()
    const { socket, peer } = this.#attempt ?? {}
    this.#attempt = undefined
    socket?.close()
    if (peer !== undefined) this.emit('peer-disconnected', { peerId: peer })
  }

  #write (socket: Socket, message: object): void {
    socket.send(cbor.encode(message))
  }

  #tell (state: ConnectionState): void {
    this.#state = state
    this.emit('state', state)
  }
}

/** Browsers tell when there is a network again. */
function listeningWhenOnline (listener: () => void, on: boolean): void {
  const target = globalThis as { addEventListener?: unknown, removeEventListener?: unknown }
  const listen = on ? target.addEventListener : target.removeEventListener
  if (typeof listen === 'function') listen.call(globalThis, 'online', listener)
}

export type { ConnectionState, ConnectionStatus }
