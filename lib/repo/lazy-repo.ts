import { setTimeout as delay } from 'node:timers/promises'
import { RelayError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { EngineAdapter } from './engine-adapter.ts'
import { EngineRepo } from './engine-repo.ts'

export interface LazyRepoOptions {
  engine: Pick<SyncEngine, 'connect'>
  log: Log
  /** ms that closing waits for changes to be stored */
  closeTimeout: number
  /** ms until a connection that the engine has closed is made anew */
  retryInterval?: number
}

/** A `Repo` that is not there before it is asked for. */
export class LazyRepo {
  readonly #options: LazyRepoOptions
  #repo: EngineRepo | undefined
  #closed = false

  constructor (options: LazyRepoOptions) {
    this.#options = options
  }

  /** The repo, made and connected at the first call. @throws RelayError RELAY_CLOSING once it is closed */
  get repo (): EngineRepo {
    if (this.#closed) throw new RelayError('RELAY_CLOSING', 'the relay is closing: its repo cannot be used any more')
    const { engine, log, retryInterval = 1_000 } = this.#options
    this.#repo ??= new EngineRepo(new EngineAdapter({ engine, log, retryInterval }))
    return this.#repo
  }

  /** Waits a while for changes that are not stored yet, and disconnects. The engine must not be closed before. */
  async close (): Promise<void> {
    const { log, closeTimeout } = this.#options
    const repo = this.#repo
    this.#closed = true
    if (repo === undefined) return
    const abort = new AbortController()
    try {
      const late = delay(closeTimeout, undefined, { signal: abort.signal }).then(() => {
        throw new Error(`not within ${closeTimeout} ms`)
      })
      await Promise.race([repo.flush(), late])
    } catch (error) {
      log.error({ err: error }, 'the repo of this process is closed before all its changes are stored')
    } finally {
      abort.abort()
      repo.networkSubsystem.disconnect()
    }
  }
}
