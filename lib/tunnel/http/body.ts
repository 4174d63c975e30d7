import type { IncomingMessage, ServerResponse } from 'node:http'
import { refusal } from '../errors.ts'

/** ms that the rest of a refused request may still come, so that its sender gets to read why */
const LINGER_MS = 2_000

const JSON_TYPES = new Set(['application/json', 'application/json; charset=utf-8'])
const FORM = /multipart\/form-data/i
const BYTES = /^application\/octet-stream(?:;|$)/i

/** What a body is read as, by its `content-type`: as JSON unless that says otherwise. */
export function bodyKind (type = ''): 'json' | 'form' | 'bytes' {
  if (JSON_TYPES.has(type)) return 'json' // most are, and need no expressions to tell
  if (FORM.test(type)) return 'form'
  return BYTES.test(type) ? 'bytes' : 'json'
}

/**
 * A whole body as text, if all of it has come, else undefined. What comes in one packet with its head is there one tick
 * after that, though Node does not yet call the request complete; taken at once it costs less than by events.
 * @param limit bytes
 * @throws TunnelError PAYLOAD_TOO_LARGE, or REQUEST_ABORTED when its sender is gone; Error for one that somebody else
 *   read
 */
export function takeText (request: IncomingMessage, limit: number): string | undefined {
  const { headers, complete } = request
  const length = Number(headers['content-length'] ?? 0)
  if (length > limit) throw refusal('PAYLOAD_TOO_LARGE')
  if (request.readableDidRead) throw new Error('the body of a tunnel call has been read by a hook of the host’s')
  if (request.destroyed) throw refusal('REQUEST_ABORTED')
  const isThere = complete ||
    (length > 0 && request.readableLength === length && headers['transfer-encoding'] === undefined)
  if (!isThere) return undefined
  const body = request.read() as Buffer | string | null
  // or they never hear of it
  if (!complete && request.listenerCount('end') + request.listenerCount('close') > 0) request.resume()
  return textOf(body, limit)
}

/**
 * A whole body as text, whenever it comes.
 * @param limit bytes
 * @throws TunnelError PAYLOAD_TOO_LARGE, or REQUEST_ABORTED when its sender leaves
 */
export async function readText (request: IncomingMessage, limit: number): Promise<string> {
  return textOf(await collect(request, limit), limit)
}

/** @param body text where a host has set an encoding */
function textOf (body: Buffer | string | null, limit: number): string {
  if (body === null) return ''
  if (Buffer.byteLength(body) > limit) throw refusal('PAYLOAD_TOO_LARGE')
  return body.toString()
}

/** No more than the first chunk beyond the limit. */
function collect (request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const finish = (): void => { resolve(Buffer.concat(chunks, length)) }
    const onData = (chunk: Buffer | string): void => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      length += bytes.length
      chunks.push(bytes)
      if (length <= limit) return
      request.off('data', onData)
      finish()
    }
    request.on('data', onData).on('end', finish).on('error', () => { reject(refusal('REQUEST_ABORTED')) })
  })
}

/**
 * After an answer that did not wait for the whole request: the rest is passed over, but not for long and not without a
 * bound.
 * @param limit bytes
 */
export function passOver (request: IncomingMessage, limit: number): void {
  let rest = limit
  const timer = setTimeout(() => { if (!request.complete) request.destroy() }, LINGER_MS)
  timer.unref()
  request.unpipe().on('error', () => {}).on('data', (chunk: Buffer) => {
    rest -= chunk.length
    if (rest < 0) request.destroy()
  }).once('close', () => { clearTimeout(timer) }).resume()
}

/**
 * Ends an answer whose `connection: close` would otherwise cut off its reader, who may still be sending: a socket
 * closed with unread bytes resets the connection, and what was answered is lost.
 */
export function endAfterRequest (request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.complete) {
    response.end(body)
    return
  }
  response.write(body)
  const end = (): void => { response.end() }
  const timer = setTimeout(end, LINGER_MS)
  timer.unref()
  request.unpipe().on('error', () => {}).once('close', () => {
    clearTimeout(timer)
    end()
  }).resume()
}
