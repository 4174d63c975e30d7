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

/** What a request that changes something depends on. */
export interface Preconditions {
  'if-match'?: string | undefined
  'if-none-match'?: string | undefined
  /** What the ETag has in quotes, for those whose proxies do not let ETags through: `?ifMatch=` */
  ifMatch?: string | undefined
}

/**
 * Whether the conditions of a request that changes something hold (RFC 9110 section 13.1). Our ETags are strong, so a
 * weak one is ours from before a proxy compressed the answer, and says what it said.
 * @param etag of what is there, null when nothing is
 */
export function holds (conditions: Preconditions, etag: string | null): boolean {
  const { 'if-match': known, 'if-none-match': unknown, ifMatch } = conditions
  if (known !== undefined && (etag === null || !matches(known, etag))) return false
  if (ifMatch !== undefined && `"${ifMatch}"` !== etag) return false
  return unknown === undefined || etag === null || !matches(unknown, etag)
}

/** Whether a request depends on anything. */
export const isConditional = ({ 'if-match': known, 'if-none-match': unknown, ifMatch }: Preconditions): boolean =>
  known !== undefined || unknown !== undefined || ifMatch !== undefined

/** Whether who asks has it already, before it is made. @param etag of what would be answered */
export const isKnown = ({ 'if-none-match': known }: ConditionalHeaders, etag: string): boolean =>
  known !== undefined && matches(known, etag)

const matches = (list: string, etag: string): boolean =>
  list.trim() === '*' || entityTags(list).includes(etag)

/**
 * The ETags of a list as they left the relay. Proxies that compress make them weak (nginx, Cloudflare) or add how they
 * have compressed (`-gzip` Apache and Caddy, `--gzip` Jetty).
 */
export const entityTags = (list: string): string[] =>
  list.split(',').map(tag => tag.trim().replace(/^W\//, '').replace(/-{1,2}(?:gzip|br|zstd|deflate)"$/, '"'))
