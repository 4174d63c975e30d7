import { RelayError } from '../errors.ts'

/** The request headers that decide what of a representation is sent. */
export interface ConditionalHeaders {
  'if-none-match'?: string | undefined, 'if-range'?: string | undefined, range?: string | undefined
}

/** 304: nothing; 206: `range`, half-open; 200: everything. */
export type Selection = { status: 200 } | { status: 304 } | { status: 206, range: { start: number, end: number } }

/**
 * What to answer a GET or HEAD for a representation with a strong ETag (RFC 9110 sections 13 and 14). Several ranges at
 * once, a malformed Range and one whose If-Range no longer holds get the whole, as the RFC allows or demands.
 * @throws RelayError RELAY_RANGE_NOT_SATISFIABLE
 */
export function select (headers: ConditionalHeaders, etag: string, size: number): Selection {
  const { range, 'if-range': unchanged } = headers
  if (isKnown(headers, etag)) return { status: 304 }
  if (range === undefined || (unchanged !== undefined && unchanged !== etag)) return { status: 200 }
  const asked = /^bytes=(\d*)-(\d*)$/.exec(range.trim())
  if (asked === null || asked[0].endsWith('=-')) return { status: 200 }
  const [first, last] = [asked[1]!, asked[2]!]
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(Number(last) + 1, size)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return { status: 200 }
  if (start >= end) {
    throw new RelayError('RELAY_RANGE_NOT_SATISFIABLE', `range not satisfiable: there are ${size} bytes`)
  }
  return { status: 206, range: { start, end } }
}

/**
 * Whether the conditions of a request that changes something hold (RFC 9110 section 13.1): If-Match compares strongly.
 * @param etag of what is there, null when nothing is
 */
export function holds (
  { 'if-match': known, 'if-none-match': unknown }: {
    'if-match'?: string | undefined, 'if-none-match'?: string | undefined
  },
  etag: string | null
): boolean {
  if (
    known !== undefined && (
      etag === null || (known.trim() !== '*' && !known.split(',').some(one => one.trim() === etag))
    )
  ) return false
  return unknown === undefined || etag === null || !matches(unknown, etag)
}

/** Whether who asks has it already, before it is made. @param etag of what would be answered */
export const isKnown = ({ 'if-none-match': known }: ConditionalHeaders, etag: string): boolean =>
  known !== undefined && matches(known, etag)

/** If-None-Match compares weakly: `W/` makes no difference. */
function matches (list: string, etag: string): boolean {
  return list.trim() === '*' || list.split(',').some(one => one.trim().replace(/^W\//, '') === etag)
}
