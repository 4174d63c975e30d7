import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'

type Direction = 'up' | 'down'

/**
 * A TCP proxy in front of a real server, to break connections at will. `fault` is asked before bytes are passed on:
 * `cut` resets the connection, `stall` leaves it open and passes nothing more in that direction.
 */
export class TcpProxy {
  fault: (direction: Direction, bytesOfConnection: number) => 'cut' | 'stall' | undefined = () => undefined
  /** Bytes received from clients. */
  received = 0
  /** Connections ever made by clients. */
  accepted = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor (target: URL) {
    this.#server = createServer(client => this.#join(client, connect(Number(target.port), target.hostname)))
  }

  static async start (t: Test, target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(new URL(target))
    await new Promise<void>(resolve => proxy.#server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => proxy.stop())
    return proxy
  }

  get endpoint (): string { return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}` }
  /** Open connections of clients. */
  get connections (): number { return this.#sockets.size / 2 }

  /** As when the server's machine is gone. */
  stop (): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #join (client: Socket, server: Socket): void {
    this.accepted++
    this.#pass(client, server, 'up')
    this.#pass(server, client, 'down')
  }

  #pass (from: Socket, to: Socket, direction: Direction): void {
    let bytes = 0
    this.#sockets.add(from)
    from.on('error', () => to.destroy()) // a reset is what we are here for
    from.on('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
    from.on('end', () => to.end())
    from.on('data', chunk => {
      bytes += chunk.length
      if (direction === 'up') this.received += chunk.length
      const fault = this.fault(direction, bytes)
      if (fault === 'cut') {
        from.resetAndDestroy()
        to.resetAndDestroy()
      } else if (fault === undefined && !to.write(chunk)) {
        from.pause()
        to.once('drain', () => from.resume())
      }
    })
  }
}
