import { readFileSync, unwatchFile, watchFile, type StatsListener } from 'node:fs'
import { RelayError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'

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

/** A file of settings that counts as it is now: what cannot be read when it has changed is logged, and the old stays. */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>
  readonly #listener: StatsListener
  #value: T

  /** @throws RelayError RELAY_BAD_OPTION */
  constructor (options: WatchedFileOptions<T>) {
    this.#options = options
    this.#value = this.#read()
    this.#listener = (now, before) => { if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) this.#reload() }
    watchFile(options.file, { interval: INTERVAL, persistent: false }, this.#listener)
  }

  get value (): T { return this.#value }

  close (): void { unwatchFile(this.#options.file, this.#listener) }

  #reload (): void {
    const { file, log, changed } = this.#options
    try {
      this.#value = this.#read()
    } catch (error) {
      log.error({ err: error }, `${messageOf(error)}; what it said before stays in force`)
      return
    }
    log.info({ file }, 'settings read again')
    changed(this.#value)
  }

  #read (): T {
    const { option, file, parse } = this.#options
    try {
      return parse(readFileSync(file, 'utf8'))
    } catch (cause) {
      throw new RelayError('RELAY_BAD_OPTION', `option ${option}: ${file}: ${messageOf(cause)}`, { cause })
    }
  }
}
