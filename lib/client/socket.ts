/** The part of the browsers' `WebSocket` that the adapter uses; Node's own and `ws` have it too. */
export interface Socket {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  /** The subprotocol that the other end chose */
  readonly protocol: string
  send (data: Uint8Array): void
  close (): void
  addEventListener (type: 'open' | 'error', listener: () => void): void
  addEventListener (type: 'close', listener: (event: { code: number, reason: string }) => void): void
  addEventListener (type: 'message', listener: (event: { data: unknown }) => void): void
}

/** Opens a socket; `protocols` are offered in this order. */
export type OpenSocket = (url: string, protocols: string[]) => Socket | Promise<Socket>

export const OPEN = 1
