import { unwatchFile, watchFile, type StatsListener } from 'node:fs'
import { RelayError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { readText } from '../settings-file.ts'

const INTERVAL = 1_000 // ms between looks; looks, because a file that is replaced, or linked to, notifies of nothing

export interface WatchedFileOptions<T> {
  /** The option that names it, for messages */
  option: string
  file: string
  /** Throws what is wrong with the text. */
  parse (text: string): T
  /** It has changed. */
  changed (value: T): void
  log: Log
}

/**
 * A file of settings that counts as it is now: what cannot be used when it has changed is logged, and the old stays.
 * What cannot be read, which may be a matter of the moment, is read again until it can: it may take somebody's access
 * away.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>
  readonly #listener: StatsListener
  #value: T
  #retry: NodeJS.Timeout | undefined
  #isTold = false

  /** @throws RelayError RELAY_BAD_OPTION */
  constructor (options: WatchedFileOptions<T>) {
    this.#options = options
    this.#value = this.#parse(this.#read())
    this.#listener = (now, before) => {
      if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) this.#reload()
    }
    watchFile(options.file, { interval: INTERVAL, persistent: false }, this.#listener)
  }

  get value (): T { return this.#value }

  close (): void {
    unwatchFile(this.#options.file, this.#listener)
    clearTimeout(this.#retry)
  }

  #reload (): void {
    const { file, log, changed } = this.#options
    clearTimeout(this.#retry)
    let text
    try {
      text = this.#read()
    } catch (error) {
      this.#retry = setTimeout(() => { this.#reload() }, INTERVAL).unref()
      if (!this.#isTold) this.#tell(error)
      this.#isTold = true
      return
    }
    this.#isTold = false
    try {
      this.#value = this.#parse(text)
    } catch (error) {
      this.#tell(error)
      return
    }
    log.info({ file }, 'settings read again')
    changed(this.#value)
  }

  #tell (error: unknown): void {
    this.#options.log.error({ err: error }, `${messageOf(error)}; what it said before stays in force`)
  }

  #read (): string {
    try {
      return readText(this.#options.file)
    } catch (cause) {
      throw this.#failed(cause)
    }
  }

  #parse (text: string): T {
    try {
      return this.#options.parse(text)
    } catch (cause) {
      throw this.#failed(cause)
    }
  }

  #failed (cause: unknown): RelayError {
    const { option, file } = this.#options
    return new RelayError('RELAY_BAD_OPTION', `option ${option}: ${file}: ${messageOf(cause)}`, { cause })
  }
}
