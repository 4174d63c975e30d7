import { setTimeout as sleep } from 'node:timers/promises'
import { RelayError } from '../errors.ts'
import { silent, type Log } from '../log.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { Grant } from '../sync/peers/grant.ts'
import type { Wire } from './outgoing.ts'
import {
  PeerSocket, type OpenSocket, type PeerSocketOptions, type Socket, type SocketOrigin, type SocketsLimits
} from './peer-socket.ts'

export interface SocketsOptions extends PeerSocketOptions {
  /** ms between pings */
  pingInterval: number
  /** ms from the start of draining until the first peer is closed, and from then until the last is */
  drainDelay: number
  drainWindow: number
}

/** All WebSockets of this relay: binds each to the sync engine, pings them, drops the dead, closes them in the end. */
export class Sockets {
  readonly #engine: SyncEngine
  readonly #options: SocketsOptions
  readonly #limits: SocketsLimits
  readonly #sockets = new Set<PeerSocket>()
  readonly #acceptListeners = new Set<() => void>()
  readonly #others = new Set<() => void>()
  readonly #heartbeat: NodeJS.Timeout
  #drained: Promise<void> | undefined
  #refusal: RelayError | undefined

  constructor (engine: SyncEngine, options: SocketsOptions, limits: SocketsLimits) {
    this.#engine = engine
    this.#options = options
    this.#limits = limits
    this.#heartbeat = setInterval(() => { for (const peer of this.#sockets) peer.beat() }, options.pingInterval)
    this.#heartbeat.unref()
  }

  /**
   * Takes on an open socket; must be called before its first message can arrive.
   * @param wire the stream it reads from and writes to
   * @param grant what its peer may do; everything without one
   * @param log gets one line, when it is over
   */
  accept (socket: Socket, wire: Wire, origin: SocketOrigin, grant?: Grant, log: Log = silent): void {
    const peer = new PeerSocket(socket, wire, origin, this.#engine, this.#options, this.#limits, grant)
    this.#sockets.add(peer)
    socket.on('close', code => {
      this.#sockets.delete(peer)
      log.info({ ...peer.life(), code }, 'connection closed')
    })
    for (const listener of this.#acceptListeners) listener()
  }

  /** Those that are open, the oldest first. */
  get open (): Iterable<OpenSocket> & { readonly size: number } { return this.#sockets }

  /** Calls back after each socket taken on; returns the way to stop. */
  onAccept (listener: () => void): () => void {
    this.#acceptListeners.add(listener)
    return () => { this.#acceptListeners.delete(listener) }
  }

  /**
   * A socket that is no peer's is closed when the peers have been.
   * @param close what closes it
   * @returns what is to be called when it is gone
   */
  add (close: () => void): () => void {
    this.#others.add(close)
    return () => { this.#others.delete(close) }
  }

  /** Whether it is about to close: nobody new should be sent here. */
  get draining (): boolean { return this.#drained !== undefined }

  /** Why peers are being closed, if they are: who comes now would be, too. */
  get refusal (): RelayError | undefined { return this.#refusal }

  /** Closes all peers at once, for a reason that stays: nobody else is to be taken on. */
  refuse (reason: RelayError): void {
    this.#refusal = reason
    for (const peer of [...this.#sockets]) peer.refuse(reason)
  }

  /** Closes the peers (1001) one after the other, over the time that the options give. */
  async drain (): Promise<void> {
    await (this.#drained ??= this.#drain())
  }

  /** Drains, and ends peers that do not answer; resolves when none is left. */
  async close (): Promise<void> {
    await this.drain()
    for (const close of [...this.#others]) close()
    clearInterval(this.#heartbeat)
    this.#engine.disconnect()
    await Promise.all([...this.#sockets].map(peer => peer.gone))
  }

  async #drain (): Promise<void> {
    const { drainDelay, drainWindow } = this.#options
    if (drainDelay > 0) await sleep(drainDelay)
    const reason = this.#refusal ??= new RelayError('RELAY_CLOSING', 'the relay is closing')
    const peers = [...this.#sockets]
    const start = performance.now()
    for (const [n, peer] of peers.entries()) {
      const wait = start + drainWindow * n / peers.length - performance.now()
      if (wait >= 1) await sleep(wait)
      peer.refuse(reason)
    }
  }
}
