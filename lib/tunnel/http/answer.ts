import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable, pipeline } from 'node:stream'
import { endAfterRequest, passOver } from './body.ts'
import type { FlatHeaders } from './cors.ts'
import { refusal, type TunnelError } from '../errors.ts'

const JSON_TYPE = 'application/json; charset=utf-8'

/** A result that is sent as it comes, without an envelope. */
export interface StreamResult {
  stream: Readable
  status?: number
  contentType?: string
  headers?: Record<string, string>
}

/** Headers that are the tunnel's to say. */
const OURS = new Set([
  'access-control-allow-credentials', 'access-control-allow-origin', 'connection', 'content-length', 'content-type',
  'set-cookie', 'transfer-encoding',
  'vary', 'x-content-type-options', 'x-frame-options', 'x-runner-request-id'
])

const isStream = (value: unknown): value is NodeJS.ReadableStream =>
  typeof (value as { pipe?: unknown } | null | undefined)?.pipe === 'function'

/** Streams of the first kind there was know no backpressure. */
const modern = (stream: NodeJS.ReadableStream): Readable =>
  stream instanceof Readable ? stream : new Readable().wrap(stream)

/** The stream in a task's result, if it is one or has one. */
export function streamOf (result: unknown): StreamResult | undefined {
  if (typeof result !== 'object' || result === null) return undefined
  if (isStream(result)) return { stream: modern(result) }
  const { stream } = result as { stream?: unknown }
  return isStream(stream) ? { ...result, stream: modern(stream) } : undefined
}

export interface AnswerParts {
  request: IncomingMessage
  response: ServerResponse
  requestId: string
  cors: FlatHeaders
  /** The host's, for every answer */
  hostHeaders: Record<string, unknown> | undefined
  /** bytes of a body nobody waited for that are still passed over */
  limit: number
}

/** The answer to one request: written once, whoever gets there first. */
export class Answer {
  readonly #parts: AnswerParts
  /** All of the request has been read; Node may not have noticed yet. */
  isRequestRead = false

  constructor (parts: AnswerParts) {
    this.#parts = parts
  }

  /** Nobody waits for it any more, or it has been given. */
  get isOver (): boolean {
    const { response } = this.#parts
    return response.headersSent || response.destroyed
  }

  /** @param text the result as the wire has it; without one the envelope has no result */
  ok (text?: string): void {
    this.#json(200, text === undefined ? '{"ok":true}' : `{"ok":true,"result":${text}}`)
  }

  fail (error: TunnelError, body: string): void {
    const { request, response } = this.#parts
    if (error.statusCode === 413 && !this.isOver) {
      response.writeHead(413, this.#headers(JSON_TYPE, [
        'content-length', String(Buffer.byteLength(body)), 'connection', 'close'
      ]))
      endAfterRequest(request, response, body)
      return
    }
    this.#json(error.statusCode, body, error.retryAfter === undefined ? [] : ['retry-after', String(error.retryAfter)])
  }

  preflight (headers: FlatHeaders): void {
    this.#parts.response.writeHead(204, headers).end()
    this.#passOver()
  }

  /**
   * Sends a stream; resolves when it is sent or its reader has left (the stream is destroyed then).
   * @throws TunnelError STREAM_ERROR when it fails; once something has been sent, the connection is cut: its reader
   *   must not take a part for the whole
   */
  async stream (
    { stream, status = 200, contentType = 'application/octet-stream', headers = {} }: StreamResult
  ): Promise<void> {
    const { response } = this.#parts
    if (this.isOver) {
      stream.destroy()
      return
    }
    await started(stream)
    if (this.isOver) {
      stream.destroy()
      return
    }
    const extra = Object.entries(headers).filter(([name]) => !OURS.has(name.toLowerCase())).flat()
    response.writeHead(status, this.#headers(contentType, extra))
    let readerLeft = false
    response.once('close', () => { readerLeft = !response.writableFinished && !stream.destroyed })
    await new Promise<void>((resolve, reject) => {
      pipeline(stream, response, error => {
        if (error == null || readerLeft) resolve()
        else reject(refusal('STREAM_ERROR', undefined, { cause: error }))
      })
    })
    this.#passOver()
  }

  #json (status: number, body: string, extra: FlatHeaders = []): void {
    if (this.isOver) return
    const { request, response } = this.#parts
    const bytes = Buffer.byteLength(body)
    response.writeHead(status, this.#headers(JSON_TYPE, ['content-length', String(bytes), ...extra]))
    if (request.method === 'HEAD') response.end()
    else send(response, bytes === body.length ? body : Buffer.from(body)) // ASCII goes with the head, which is latin1
    this.#passOver()
  }

  #headers (type: string, extra: FlatHeaders): FlatHeaders {
    const { requestId, cors, hostHeaders } = this.#parts
    const headers = [
      'x-runner-request-id', requestId, 'x-content-type-options', 'nosniff', 'x-frame-options', 'DENY', ...cors,
      'content-type', type, ...extra
    ]
    for (const name in hostHeaders) if (!OURS.has(name)) headers.push(name, String(hostHeaders[name]))
    return headers
  }

  #passOver (): void {
    const { request, limit } = this.#parts
    if (!this.isRequestRead && !request.complete) passOver(request, limit)
  }
}

/**
 * Head and body in one write: `end(body)` alone makes Node write a second, empty part with them.
 * @param body text is ASCII
 */
function send (response: ServerResponse, body: string | Buffer): void {
  if (response.socket !== null && response.socket.writableLength === 0) {
    response.socket.cork() // else Node does, until the next tick
    response.write(body, 'latin1')
    response.socket.uncork()
    response.end()
  } else response.end(body, 'latin1')
}

/** Resolves when there is something to send; a stream that fails before that can still be answered. */
function started (stream: Readable): Promise<void> {
  if (stream.readableLength > 0 || stream.readableEnded) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      stream.off('readable', settle).off('end', settle).off('close', settle).off('error', settle)
      if (error instanceof Error) reject(refusal('STREAM_ERROR', undefined, { cause: error }))
      else resolve()
    }
    if (stream.errored != null) return settle(stream.errored)
    stream.on('readable', settle).on('end', settle).on('close', settle).on('error', settle)
  })
}
