import type { Position } from '../position.ts'

/** A part of the stream that no server had any more. What happened in it is not known. */
export interface Gap {
  /** The last that was had before it */
  readonly from: Position
  /** The first that was had after it */
  readonly to: Position
  /** ms since 1970 when it was found */
  readonly foundAt: number
  readonly reason: string
}
