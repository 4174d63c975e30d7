import type { IncomingMessage, ServerResponse } from 'node:http'
import { refusal } from './errors.ts'

/** ms that the rest of a refused request may still come, so that its sender gets to read why */
const LINGER = 2_000

/**
 * A whole body as text.
 * @param limit bytes
 * @throws TunnelError PAYLOAD_TOO_LARGE, or REQUEST_ABORTED when its sender is gone
 */
export function readText (request: IncomingMessage, limit: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    if (Number(request.headers['content-length'] ?? 0) > limit) {
      reject(refusal('PAYLOAD_TOO_LARGE'))
      return
    }
    const onData = (chunk: Buffer): void => {
      length += chunk.length
      chunks.push(chunk)
      if (length <= limit) return
      request.off('data', onData)
      reject(refusal('PAYLOAD_TOO_LARGE'))
    }
    request.on('data', onData)
    request.on('end', () => { resolve(chunks.length === 1 ? chunks[0]!.toString() : Buffer.concat(chunks, length).toString()) })
    request.on('error', () => { reject(refusal('REQUEST_ABORTED')) })
  })
}

/**
 * After an answer that did not wait for the whole request: the rest is passed over, but not for long and not without a
 * bound.
 * @param limit bytes
 */
export function passOver (request: IncomingMessage, limit: number): void {
  let rest = limit
  const timer = setTimeout(() => { if (!request.complete) request.destroy() }, LINGER)
  timer.unref()
  request.unpipe().on('error', () => {}).on('data', (chunk: Buffer) => {
    rest -= chunk.length
    if (rest < 0) request.destroy()
  }).once('close', () => { clearTimeout(timer) }).resume()
}

/**
 * Ends an answer whose `connection: close` would otherwise cut off its reader, who may still be sending: a socket closed
 * with unread bytes resets the connection, and what was answered is lost.
 */
export function endAfterRequest (request: IncomingMessage, response: ServerResponse, body: string): void {
  if (request.complete) {
    response.end(body)
    return
  }
  response.write(body)
  const end = (): void => { response.end() }
  const timer = setTimeout(end, LINGER)
  timer.unref()
  request.unpipe().on('error', () => {}).once('close', () => {
    clearTimeout(timer)
    end()
  }).resume()
}
