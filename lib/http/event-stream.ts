import { Readable } from 'node:stream'

const FULL_BYTES = 256 * 1024 // bytes unread beyond which a reader is told nothing more
const KEEP_ALIVE_MS = 15_000 // ms: proxies give up connections that say nothing for a minute
const MAX_MISSED = 4 // times that a reader may be found full before it is given up

/**
 * Server-sent events (HTML Living Standard, "Server-sent events"), to be sent as a body. A reader that takes nothing
 * for a minute is given up.
 */
export class EventStream extends Readable {
  /** Called when a reader that was full takes more. */
  onReady = (): void => {}
  readonly #timer: NodeJS.Timeout
  #isFull = false
  #isOver = false
  #missed = 0

  constructor () {
    super({ highWaterMark: FULL_BYTES })
    this.#timer = setInterval(() => { this.#keepAlive() }, KEEP_ALIVE_MS)
    this.#timer.unref()
  }

  /** Whether the reader takes what it is sent. */
  get isReady (): boolean { return !this.#isFull }

  /**
   * @param data JSON text, which has no line breaks
   * @param id what a reader that comes back shows as `Last-Event-ID`
   */
  event (name: string, data: string, id?: string): void {
    if (this.#isOver || this.destroyed) return
    this.#isFull = !this.push(`event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`)
  }

  /** Has the reader get the headers at once, and not with the first event. */
  greet (): void { this.push(': \n\n') }

  /** Ends it with an event. */
  end (name: string, data: string): void {
    if (this.#isOver || this.destroyed) return
    this.event(name, data)
    this.#isOver = true
    this.push(null)
  }

  override _read (): void {
    this.#missed = 0
    if (!this.#isFull) return
    this.#isFull = false
    this.onReady()
  }

  override _destroy (error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#timer)
    done(error)
  }

  #keepAlive (): void {
    if (this.isReady && !this.#isOver) this.push(': \n\n')
    else if (++this.#missed === MAX_MISSED) this.destroy()
  }
}
