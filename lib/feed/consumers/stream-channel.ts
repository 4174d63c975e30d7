import type { EventStream } from '../../http/event-stream.ts'
import type { Channel } from './pump.ts'

/** Records as server-sent events. */
export class StreamChannel implements Channel {
  readonly #stream: EventStream
  #ready: () => void = () => {}

  constructor (stream: EventStream) {
    this.#stream = stream
    stream.onReady = () => { this.#ready() }
    stream.once('close', () => { this.#ready() })
  }

  record (text: string, number: number): Promise<void> | undefined {
    this.#stream.event('record', text, String(number))
    return this.#stream.isReady ? undefined : new Promise(resolve => { this.#ready = resolve })
  }

  gone (oldest: number): void { this.#stream.end('gone', JSON.stringify({ oldest })) }
}
