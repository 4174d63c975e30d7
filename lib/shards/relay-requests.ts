import { RelayError, type RelayErrorCode } from '../errors.ts'

const TIMEOUT = 30_000 // ms for one request
const PASSED_ON: readonly RelayErrorCode[] = [
  'RELAY_SHARD_INVALID',
  'RELAY_SHARDS_FULL',
  'RELAY_SHARD_NOT_FOUND',
  'RELAY_MANIFEST_INVALID',
  'RELAY_NODE_UNKNOWN',
  'RELAY_VAULT_KEY_WRONG'
]

export interface RelayRequestsOptions {
  /** What the paths are appended to, like `https://relay.example/vault/shards` */
  url: string
  /** Shown as `Authorization: Bearer` */
  token?: string | undefined
  /** ms for one request */
  timeout?: number | undefined
}

/** Requests to another relay. Errors are `RelayError`s: what it refuses, or RELAY_STORE_UNAVAILABLE. */
export class RelayRequests {
  readonly #url: string
  readonly #headers: Record<string, string>
  readonly #timeout: number

  constructor ({ url, token, timeout = TIMEOUT }: RelayRequestsOptions) {
    this.#url = url
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    this.#timeout = timeout
  }

  async json (
    method: string,
    path: string,
    signal: AbortSignal | undefined,
    body?: unknown
  ): Promise<Record<string, unknown>> {
    const bytes = await this.ask(
      method,
      path,
      signal,
      body === undefined ? undefined : JSON.stringify(body),
      'application/json'
    )
    try {
      return Object(JSON.parse(Buffer.from(bytes).toString())) as Record<string, unknown>
    } catch (cause) {
      throw this.strange(cause)
    }
  }

  async ask (
    method: string,
    path: string,
    signal?: AbortSignal,
    body?: string | Uint8Array<ArrayBuffer>,
    type?: string
  ): Promise<Uint8Array> {
    const deadline = AbortSignal.timeout(this.#timeout)
    const headers = { ...this.#headers, ...(body !== undefined && type !== undefined && { 'content-type': type }) }
    let response: Response
    let bytes: Uint8Array
    try {
      response = await fetch(this.#url + path, {
        method,
        headers,
        body: body ?? null,
        redirect: 'error',
        signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline])
      })
      bytes = new Uint8Array(await response.arrayBuffer())
    } catch (cause) {
      if (signal?.aborted === true) throw signal.reason
      throw new RelayError('RELAY_STORE_UNAVAILABLE', `${new URL(this.#url).origin} does not answer`, { cause })
    }
    if (!response.ok) throw this.#refusal(response.status, bytes)
    return bytes
  }

  #refusal (status: number, bytes: Uint8Array): RelayError {
    const text = Buffer.from(bytes).toString()
    const code = PASSED_ON.find(code => text.includes(`"${code}"`))
    return new RelayError(
      code ?? (status === 404 ? 'RELAY_SHARD_NOT_FOUND' : 'RELAY_STORE_UNAVAILABLE'),
      `${new URL(this.#url).origin} answers ${status}: ${text.slice(0, 200)}`
    )
  }

  strange (cause?: unknown): RelayError {
    return new RelayError(
      'RELAY_STORE_UNAVAILABLE',
      `${new URL(this.#url).origin} answers with what is not expected`,
      { cause }
    )
  }
}
