import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Log } from '../../log.ts'

/** What only the one who hosts the tunnel knows of a request. */
export interface Host {
  log: Log
  /** Who it is, as the host's own authentication says */
  principal?: unknown
  /**
   * Finds out who it is. `byToken` is for whoever the host does not know: throws for who has no token of the tunnel's.
   * Rejects with a TunnelError for who is not let in.
   */
  identify?: (byToken: () => void | Promise<void>) => Promise<unknown>
  /** The host's headers for every answer */
  headers?: Record<string, unknown>
}

/** A call as its handler sees it, beside the input. */
export interface Call {
  /** The task's or event's id */
  readonly id: string
  readonly requestId: string
  /** The request's headers */
  readonly headers: IncomingHttpHeaders
  /** Aborts when the caller is gone or the time is up; its reason tells which. */
  readonly signal: AbortSignal
  readonly log: Log
  /** Who calls, as the host's authentication says; undefined without one. */
  readonly principal: unknown
  /** The raw request: for `application/octet-stream` its body is the handler's to read. */
  readonly request: IncomingMessage
  /** The raw response: once a handler has written to it, it is the handler's to end. */
  readonly response: ServerResponse
}

/** Most handlers use little of this, so it is made when asked for. */
export class RequestCall implements Call {
  readonly id: string
  readonly requestId: string
  readonly principal: unknown
  /** All of the request has been read already. */
  isRequestRead = false
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #host: Host
  #controller: AbortController | undefined
  #abortReason: Error | undefined

  constructor (
    id: string, requestId: string, request: IncomingMessage, response: ServerResponse, host: Host, principal: unknown
  ) {
    this.id = id
    this.requestId = requestId
    this.#request = request
    this.#response = response
    this.#host = host
    this.principal = principal
  }

  get headers (): IncomingHttpHeaders { return this.#request.headers }
  get log (): Log { return this.#host.log }

  /** Of one that has been read nobody is told the end, unless somebody wants to know. */
  get request (): IncomingMessage {
    if (this.isRequestRead) this.#request.resume()
    return this.#request
  }

  get response (): ServerResponse {
    if (!this.#response.headersSent) this.#response.setHeader('x-runner-request-id', this.requestId)
    return this.#response
  }

  get signal (): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      const onClose = (): void => { if (!this.#response.writableFinished) this.abort(new Error('the caller is gone')) }
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason)
      else if (this.#response.destroyed) onClose()
      else this.#response.once('close', onClose)
    }
    return this.#controller.signal
  }

  abort (reason: Error): void {
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }
}
