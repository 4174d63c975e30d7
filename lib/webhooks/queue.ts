import { appendFile, readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { writeAtomic } from '../objects/atomic-file.ts'
import { EVENTS, type EventType } from './options.ts'

/** `key` tells what it is about: of two that wait, and are of one type about the same, one is enough. */
export interface Message { id: string, type: EventType, key: string | undefined, body: string }

/** Records beyond twice the messages that a file may hold before it is written anew. */
const SLACK_RECORDS = 1_000

/** Of another file than one's own, or of a write that was cut off: to be written anew before anything is added. */
const UNKNOWN = Infinity

/**
 * What one receiver has yet to get, oldest first, and a file that says so: a JSON line for each message, and one
 * `{"done":id}` when it is no longer to be sent. What was written before a process is killed is there for the next one;
 * a power failure may take the last seconds. A disk that fails costs that, and no more.
 */
export class Queue {
  readonly #file: string
  readonly #log: Log
  readonly #messages: Map<string, Message>
  /** Lines that are not in the file yet */
  #lines: string[] = []
  /** Lines in the file */
  #records: number
  #writing: Promise<void> | undefined
  #isFailing = false

  private constructor (file: string, log: Log, messages: Map<string, Message>, records: number) {
    this.#file = file
    this.#log = log
    this.#messages = messages
    this.#records = records
  }

  /** What an earlier process has left. @throws Error for a file that cannot be read */
  static async open (file: string, log: Log): Promise<Queue> {
    const messages = new Map<string, Message>()
    const lines = (await textOf(file)).split('\n')
    let isWhole = lines.pop() === '' // of a line that was cut off there is no end
    for (const line of lines) {
      const record = parse(line)
      if (record === undefined) isWhole = false
      else if ('done' in record) messages.delete(record.done)
      else messages.set(record.id, record)
    }
    return new Queue(file, log, messages, isWhole ? lines.length : UNKNOWN)
  }

  get size (): number { return this.#messages.size }

  messages (): Iterable<Message> { return this.#messages.values() }

  push (message: Message): void {
    this.#messages.set(message.id, message)
    this.#write(JSON.stringify(message))
  }

  remove (id: string): void {
    if (this.#messages.delete(id)) this.#write(JSON.stringify({ done: id }))
  }

  /** Resolves when all of it is written, or cannot be. */
  async close (): Promise<void> {
    await this.#writing
  }

  #write (line: string): void {
    this.#lines.push(line)
    this.#writing ??= this.#writeAll()
  }

  /** What comes during a write goes into the next, all at once. */
  async #writeAll (): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      this.#lines = []
      try {
        if (this.#records + lines.length > 2 * this.size + SLACK_RECORDS) await this.#rewrite()
        else {
          await appendFile(this.#file, lines.join('\n') + '\n')
          this.#records += lines.length
        }
        this.#isFailing = false
      } catch (error) {
        if (!this.#isFailing) {
          this.#log.error(
            { file: this.#file, err: error },
            `what waits for a webhook cannot be kept for a restart: ${messageOf(error)}`
          )
        }
        this.#isFailing = true
        this.#records = UNKNOWN
      }
    }
    this.#writing = undefined
  }

  async #rewrite (): Promise<void> {
    const lines = [...this.#messages.values()].map(message => JSON.stringify(message) + '\n')
    await writeAtomic(this.#file, Buffer.from(lines.join('')), path.dirname(this.#file))
    this.#records = lines.length
  }
}

async function textOf (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/** Undefined for what is no record. */
function parse (line: string): Message | { done: string } | undefined {
  try {
    const { id, type, key, body, done } = JSON.parse(line)
    if (typeof done === 'string') return { done }
    return typeof id === 'string' && EVENTS.includes(type) && typeof body === 'string'
      ? { id, type, key, body }
      : undefined
  } catch {
    return undefined
  }
}
