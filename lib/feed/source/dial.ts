/** How a connection ended. */
export interface End {
  /** What the server answered in place of an upgrade */
  readonly refusal?: { readonly status: number, readonly body: string } | undefined
  /** WebSocket close code; undefined when there was no closing handshake */
  readonly code?: number | undefined
  readonly reason: string
}

/** What happens on a socket. Nothing comes after `closed`. */
export interface Listener {
  /** @param date the server's clock in ms since 1970, where it told it */
  opened: (date?: number) => void
  message: (data: Buffer, isBinary: boolean) => void
  /** The answer to a ping */
  pong: () => void
  closed: (end: End) => void
}

/** What the feed needs of a WebSocket. */
export interface Socket {
  send: (text: string) => void
  ping: () => void
  /** Stops reading: the system's buffers fill, and the server waits. */
  pause: () => void
  resume: () => void
  /** Ends it without a handshake. */
  terminate: () => void
}

export interface DialOptions {
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of a message, beyond which the connection ends */
  readonly maxPayload: number
  /** ms until it must be open */
  readonly timeout: number
}

/** Opens a WebSocket without compression of its own. Never throws: what goes wrong is told by `closed`. */
export type Dial = (url: string, options: DialOptions, listener: Listener) => Socket
