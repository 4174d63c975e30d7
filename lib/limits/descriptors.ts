import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Server, Socket } from 'node:net'
import { descriptors, isOutOfDescriptors } from '../process.ts'

const INTERVAL = 5_000 // ms between looks
const SOON = 250 // ms between looks while connections are not taken
// descriptors: the journal, S3 and the disk at their busiest take about 128
const RESERVE = { part: 1 / 8, least: 16, most: 128 }
const ACCEPTED = 'net.server.socket'

export interface DescriptorsOptions {
  server: Server
  /** Descriptors from which on no connection is taken; never more than there are without the reserve. */
  most?: number | undefined
  /** Says that a connection was not taken, and why. */
  dropped (reason: string): void
}

/** A server, its own `maxConnections`, and the one it was given. */
interface Adopted { own: number | undefined, given: number | undefined, onError: (error: Error) => void }

/**
 * Keeps file descriptors for the journal, the disk and S3: when sockets have taken the others, silent ones included, no
 * more connections are taken until some close. A server's own `maxConnections` holds beside it, and is put back.
 */
export class Descriptors {
  readonly #options: DescriptorsOptions
  /** Those of one Fastify: one for each address of `localhost`. */
  readonly #servers = new Map<Server, Adopted>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #lookedAt = -Infinity
  #sockets = 0
  #most = Infinity
  #reason = ''

  constructor (options: DescriptorsOptions) {
    this.#options = options
    this.#adopt(options.server)
  }

  /** Sockets that are open, and how many may be at the moment. */
  get levels (): { sockets: number, most: number } { return { sockets: this.#sockets, most: this.#most } }

  /** Looks from now on; resolves after the first look. */
  async start (): Promise<void> {
    subscribe(ACCEPTED, this.#onAccepted)
    this.#timer = setInterval(() => { this.look() }, INTERVAL).unref()
    await this.look()
  }

  close (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    unsubscribe(ACCEPTED, this.#onAccepted)
    for (const [server, { own, given, onError }] of this.#servers) {
      server.off('drop', this.#onDrop).off('error', onError)
      if (server.maxConnections === given) setMost(server, own)
    }
    this.#servers.clear()
  }

  /** Counts what is open and says how many sockets may be. Never rejects. */
  look (): Promise<void> {
    this.#looking ??= this.#look().finally(() => { this.#looking = undefined })
    return this.#looking
  }

  async #look (): Promise<void> {
    this.#lookedAt = performance.now()
    const counts =
      await Promise.all([...this.#servers.keys()].map(async server => [server, await socketsOf(server)] as const))
    this.#sockets = counts.reduce((sum, [, count]) => sum + count, 0)
    const all = await descriptors()
    if (all === undefined) return
    const { part, least, most } = RESERVE
    const reserve = Math.min(most, Math.max(least, Math.round(all.most * part)))
    const usable = Math.min(this.#options.most ?? Infinity, all.most - reserve)
    this.#reason = `${all.open} of ${all.most} file descriptors are open, ${usable} may be before connections are ` +
      'not taken'
    this.#most = Math.max(1, usable - (all.open - this.#sockets))
    // 0 is no limit before Node 21
    for (const [server, count] of counts) this.#limit(server, Math.max(1, this.#most - (this.#sockets - count)))
  }

  #limit (server: Server, most: number): void {
    const limits = this.#servers.get(server)
    if (limits === undefined) return // closed meanwhile
    if (server.maxConnections !== limits.given) limits.own = server.maxConnections // its owner has changed it
    const next = Math.min(most, limits.own ?? Infinity)
    limits.given = next === Infinity ? limits.own : next
    setMost(server, limits.given)
  }

  #adopt (server: Server): void {
    const { maxConnections } = server
    const onError = (error: Error): void => { this.#onError(server, error) }
    this.#servers.set(server, { own: maxConnections, given: maxConnections, onError })
    server.on('drop', this.#onDrop).on('error', onError)
  }

  /** Finds the servers that belong to the first one: Fastify does not tell. */
  readonly #onAccepted = (message: unknown): void => {
    const { server } = (message as { socket: Socket & { server?: Server } }).socket
    if (server === undefined || this.#servers.has(server)) return
    const [handler] = this.#options.server.listeners('request')
    if (handler === undefined || !server.listeners('request').includes(handler)) return
    this.#adopt(server)
    this.#lookSoon()
  }

  readonly #onDrop = (): void => {
    this.#options.dropped(this.#reason)
    this.#lookSoon()
  }

  /** Node tells a server that it could not accept a connection, and ends the process when nobody listens. */
  #onError (server: Server, error: Error & { syscall?: string }): void {
    if (error.syscall === 'accept' || isOutOfDescriptors(error)) {
      this.#options.dropped(`a connection cannot be accepted: ${error.message}`)
      this.#lookSoon()
    } else if (server.listenerCount('error') === 1) throw error // as without this listener
  }

  #lookSoon (): void {
    if (performance.now() - this.#lookedAt > SOON) this.look()
  }
}

const socketsOf = (server: Server): Promise<number> =>
  new Promise(resolve => { server.getConnections((_error, count) => { resolve(count ?? 0) }) })

function setMost (server: Server, most: number | undefined): void {
  if (most === undefined) delete (server as { maxConnections?: number }).maxConnections
  else server.maxConnections = most
}
