import { NetworkAdapter, type Message, type PeerId, type PeerMetadata, type StorageId } from '@automerge/automerge-repo'
import { RelayError, type RelayErrorCode } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import { decodeCbor, type CborMap } from '../wire/cbor-decode.ts'
import { encodeCbor } from '../wire/cbor-encode.ts'
import type { Connection, SyncEngine } from '../sync/engine.ts'
import { PROTOCOL_VERSION, type RelayFrame } from '../wire/frame.ts'

export interface EngineAdapterOptions {
  engine: Pick<SyncEngine, 'connect'>
  log: Log
  /** ms until a connection that the engine has closed is made anew */
  retryInterval: number
}

const GOING_AWAY = 1001 // the engine is closing

/**
 * Connects a `Repo` to the engine of the same process, which takes it for a peer like any other: the frames that go
 * over a WebSocket elsewhere are handed over.
 */
export class EngineAdapter extends NetworkAdapter {
  readonly #options: EngineAdapterOptions
  readonly #refusedListeners = new Set<(error: RelayError) => void>()
  readonly #ready: Promise<void>
  #setReady = (): void => {}
  #isReady = false
  #connection: Connection | undefined
  #relayId: PeerId | undefined
  #storageId: StorageId | undefined
  #retry: NodeJS.Timeout | undefined

  constructor (options: EngineAdapterOptions) {
    super()
    this.#options = options
    this.#ready = new Promise(resolve => {
      this.#setReady = () => {
        this.#isReady = true
        resolve()
      }
    })
  }

  /** The id of the relay's storage, once the engine has told it. */
  get storageId (): StorageId | undefined { return this.#storageId }

  isReady (): boolean { return this.#isReady }

  async whenReady (): Promise<void> { await this.#ready }

  connect (peerId: PeerId, peerMetadata: PeerMetadata = {}): void {
    this.peerId = peerId
    this.peerMetadata = peerMetadata
    clearTimeout(this.#retry)
    if (this.#connection !== undefined) return
    let refused = false
    const connection = this.#options.engine.connect({
      backlog: 0, // what is sent has arrived
      send: (heads, tail) => { for (const head of heads) this.#receive(Buffer.concat([head, tail])) },
      close: (code, reason) => {
        refused = true
        this.#closed(code, reason)
      }
    })
    if (refused) return
    this.#connection = connection
    this.#give({ type: 'join', senderId: peerId, supportedProtocolVersions: [PROTOCOL_VERSION] })
  }

  send (message: Message): void { this.#give({ ...message }) }

  disconnect (): void {
    clearTimeout(this.#retry)
    const connection = this.#connection
    this.#lost()
    connection?.closed()
  }

  /** The repo has let go of a document. */
  unfollow (id: DocumentId): void { this.#connection?.unfollow(id) }

  /** Calls back when the engine closes the connection for something it refuses; returns the way to stop. */
  onRefused (listener: (error: RelayError) => void): () => void {
    this.#refusedListeners.add(listener)
    return () => { this.#refusedListeners.delete(listener) }
  }

  #give (frame: object): void { this.#connection?.receive(encodeCbor(frame as CborMap)) }

  #receive (bytes: Uint8Array): void {
    const frame = decodeCbor(bytes) as unknown as RelayFrame
    if (frame.type === 'peer') {
      const peerId = this.#relayId = frame.senderId as PeerId
      const peerMetadata = frame.peerMetadata as PeerMetadata
      this.#storageId = peerMetadata.storageId
      this.#setReady()
      this.emit('peer-candidate', { peerId, peerMetadata })
    } else if (frame.type === 'ephemeral' && !isPlain(frame.data)) {
      this.#options.log.debug(
        { documentId: frame.documentId, sender: frame.senderId }, 'ephemeral message dropped: not plain CBOR'
      )
    } else {
      this.emit('message', frame as unknown as Message)
    }
  }

  #closed (code: number, reason: string): void {
    this.#lost()
    const [, name = 'RELAY_INTERNAL', message = reason] = /^(RELAY_\w+): (.*)$/s.exec(reason) ?? []
    for (const listener of this.#refusedListeners) listener(new RelayError(name as RelayErrorCode, message))
    if (code === GOING_AWAY) return
    this.#options.log.error({ code: name }, `the repo of this process was disconnected: ${message}`)
    this.#retry = setTimeout(() => { this.connect(this.peerId!, this.peerMetadata) }, this.#options.retryInterval)
    this.#retry.unref()
  }

  #lost (): void {
    const peerId = this.#relayId
    this.#connection = this.#relayId = undefined
    this.#setReady() // nobody is to wait for a relay that is not there
    if (peerId !== undefined) this.emit('peer-disconnected', { peerId })
  }
}

/** Whether the repo, which reads it with extension types, may have a message that anyone can have sent. */
function isPlain (data: Uint8Array): boolean {
  try {
    decodeCbor(data)
    return true
  } catch {
    return false
  }
}
