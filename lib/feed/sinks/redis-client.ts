import { RelayError, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'

/** The part of the npm package `redis` that is used. */
export interface RedisClient {
  readonly isReady: boolean
  connect: () => Promise<unknown>
  destroy: () => void
  close: () => Promise<void>
  on: (event: string, listener: (error: Error) => void) => unknown
  sendCommand: (args: string[]) => Promise<unknown>
}

interface RedisModule { createClient: (options: object) => RedisClient }

const PACKAGE = 'redis@6.3.1'
const CONNECT_TIMEOUT = 5_000

/**
 * Loads the package that speaks to Redis.
 * @throws RelayError RELAY_BAD_OPTION that names the command which installs it
 */
export async function loadRedis (): Promise<RedisModule> {
  try {
    const name = 'redis' // not there for whoever has no such feed, and so unknown to whoever builds this
    return await import(name) as RedisModule
  } catch (cause) {
    throw new RelayError(
      'RELAY_BAD_OPTION',
      `option feed.redisUrl needs a package that is not installed: npm install ${PACKAGE}`,
      { cause }
    )
  }
}

/**
 * A connection to Redis that is made when it is needed, and made anew when it is lost or hangs. Commands fail at once
 * while there is none: whoever gives them tries again.
 */
export class RedisConnection {
  readonly #redis: RedisModule
  readonly #url: string
  readonly #log: Log
  readonly #timeout: number
  #client: RedisClient | undefined
  #connecting: Promise<RedisClient> | undefined
  #isDown = false

  constructor (redis: RedisModule, { url, log, timeout }: { url: string, log: Log, timeout: number }) {
    this.#redis = redis
    this.#url = url
    this.#log = log
    this.#timeout = timeout
  }

  get isConnected (): boolean { return this.#client?.isReady === true }

  /** Rejects with Redis's own error, or when there is no answer in time. */
  async send (args: string[], signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted()
    const client = this.isConnected ? this.#client! : await this.#connect()
    const answer = client.sendCommand(args)
    answer.catch(() => {}) // it may come after nobody waits any more
    return await this.#inTime(client, answer, signal)
  }

  async close (): Promise<void> {
    const client = this.#client
    this.#client = undefined
    client?.destroy()
  }

  async #connect (): Promise<RedisClient> {
    return await (this.#connecting ??= this.#open().finally(() => { this.#connecting = undefined }))
  }

  async #open (): Promise<RedisClient> {
    this.#drop()
    const socket = { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: false }
    const client = this.#redis.createClient({ url: this.#url, socket, disableOfflineQueue: true })
    client.on('error', error => { this.#failed(error) }) // without a listener it would end the process
    try {
      await this.#inTime(client, client.connect(), undefined)
    } catch (error) {
      destroy(client)
      this.#failed(error)
      throw error
    }
    if (this.#isDown) this.#log.info({}, 'Redis is there again')
    this.#isDown = false
    this.#client = client
    return client
  }

  async #inTime (client: RedisClient, answer: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined
    let stop = (): void => {}
    const late = new Promise<never>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`Redis does not answer within ${this.#timeout} ms`))
        destroy(client)
      }, this.#timeout)
      stop = () => { reject(signal?.reason) }
      signal?.addEventListener('abort', stop, { once: true })
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
  }

  #drop (): void {
    if (this.#client !== undefined) destroy(this.#client)
    this.#client = undefined
  }

  #failed (error: unknown): void {
    if (!this.#isDown) this.#log.warn({ err: error }, `Redis cannot be reached: ${messageOf(error)}`)
    this.#isDown = true
  }
}

function destroy (client: RedisClient): void {
  try {
    client.destroy()
  } catch {} // it was not open
}
