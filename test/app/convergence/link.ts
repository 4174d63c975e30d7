import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/**
 * A client's way to the relay, at an address that stays while the relay comes and goes on other ports. It may be down
 * (every connection is reset), and what is connected may be cut (reset) or held (left open, with nothing moving).
 */
export class Link {
  up = true
  /** Port of the relay; undefined while there is none. */
  target: number | undefined
  readonly #server: Server
  readonly #pairs = new Set<[Socket, Socket]>()

  private constructor () {
    this.#server = createServer(client => { this.#join(client) })
  }

  static async start (target: number | undefined): Promise<Link> {
    const link = new Link()
    link.target = target
    await new Promise<void>(resolve => link.#server.listen(0, '127.0.0.1', resolve))
    return link
  }

  get url (): string { return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}` }

  /** Resets what is connected, whatever was under way in it. */
  cut (): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy()
  }

  /** Leaves what is connected open, with nothing moving any more: it has to be cut. */
  hold (): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.removeAllListeners('data').pause()
  }

  close (): void {
    this.up = false
    this.cut()
    this.#server.close()
  }

  #join (client: Socket): void {
    client.on('error', () => {}) // resets are what we are here for; `close` follows
    if (!this.up || this.target === undefined) {
      client.resetAndDestroy()
      return
    }
    const relay = connect(this.target, '127.0.0.1')
    relay.on('error', () => {}) // likewise
    const pair: [Socket, Socket] = [client, relay]
    this.#pairs.add(pair)
    for (const [from, to] of [[client, relay], [relay, client]] as const) {
      from.on('data', chunk => { to.write(chunk) })
      from.on('end', () => { to.end() })
      from.on('close', () => {
        this.#pairs.delete(pair)
        to.destroy()
      })
    }
  }
}
