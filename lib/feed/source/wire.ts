import type { FeedEvent } from '../event.ts'
import type { Wire } from '../position.ts'
import type { Filter } from './filter.ts'

/** Where to connect to, and what to say there. */
export interface Request {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent once the socket is open */
  readonly hello?: string
}

export interface RequestParts {
  /** `wss://name[:port]` */
  readonly host: string
  readonly filter: Filter
  /** What to go on from, as this wire counts; undefined for from now on */
  readonly cursor: number | undefined
  /** The id of the dictionary that frames are to be compressed with */
  readonly dictionary: number | undefined
}

/** What one frame says. */
export type Frame =
  | { readonly kind: 'event', readonly event: FeedEvent }
  /** Something about the stream, not of it. `outdated`: the cursor was too old, and what came in between is gone */
  | { readonly kind: 'info', readonly isOutdated: boolean, readonly message: string }
  /** The last frame: the server closes after it */
  | { readonly kind: 'error', readonly error: string, readonly message: string }

/** One of Jetstream's two protocols. */
export interface Protocol {
  readonly wire: Wire
  request: (parts: RequestParts) => Request
  /** @throws NotAnEvent */
  read: (text: string) => Frame
}
