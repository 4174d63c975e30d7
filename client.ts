import { RelayClientAdapter as Adapter, type RelayClientOptions as Options } from './lib/client/relay-client-adapter.ts'
import type { OpenSocket, Socket } from './lib/client/socket.ts'

export type { ConnectionState, ConnectionStatus } from './lib/client/connection-state.ts'
export type { Saveable } from './lib/client/saveable.ts'

export type RelayClientOptions = Partial<Options>

type Constructor = new (url: string, protocols: string[]) => Socket

/** The platform's own WebSocket; in Node before 22, that of the package `ws`. */
const openSocket: OpenSocket = async (url, protocols) => {
  const { WebSocket } = globalThis as { WebSocket?: Constructor }
  return new (WebSocket ?? await webSocketOfWs())(url, protocols)
}

async function webSocketOfWs (): Promise<Constructor> {
  try {
    const name = 'ws' // not to be bundled for browsers
    return (await import(name) as { WebSocket: Constructor }).WebSocket
  } catch (cause) {
    throw new Error('this version of Node has no WebSocket: npm install ws', { cause })
  }
}

/**
 * automerge-repo's way to a relay: `new Repo({ network: [new RelayClientAdapter(url, { token })] })`; docs/client.md.
 */
export class RelayClientAdapter extends Adapter {
  /** @param url of the relay, `ws://` or `wss://`; a token does not belong into it */
  constructor (url: string, options: RelayClientOptions = {}) {
    super(url, { openSocket, ...options })
  }
}
