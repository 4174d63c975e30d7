import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { writeAtomic } from '../../objects/atomic-file.ts'
import { asPosition, type Position } from '../position.ts'

const INTERVAL = 500 // ms between two writes

/** What a feed goes on from when it starts again. */
export interface Cursor {
  /** Everything up to there has been made durable by every sink that must */
  position: Position | undefined
  /** The last number that was given to a record: those that had it may be dropped by now */
  number: number
  /** The last number that each sink has made durable */
  sinks: Record<string, number>
}

/**
 * The cursor in its file: written beside its place, synced and renamed, at most twice a second and when it is closed.
 */
export class CursorFile {
  readonly #file: string
  readonly #log: Log
  #wanted: string | undefined
  #written: string
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()
  /** Why it cannot be written, if it cannot */
  failure: string | undefined

  private constructor (file: string, log: Log, written: string) {
    this.#file = file
    this.#log = log
    this.#written = written
  }

  /** @throws Error when the file is there and is none: what is past would be asked for again, or never */
  static async open (file: string, log: Log): Promise<{ file: CursorFile, cursor: Cursor }> {
    let text = ''
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    return { file: new CursorFile(file, log, text), cursor: parse(text, file) }
  }

  /** Has it written soon. */
  save ({ position, number, sinks }: Cursor): void {
    this.#wanted = JSON.stringify({ position, number, sinks })
    this.#timer ??= setTimeout(() => { this.#write() }, INTERVAL)
  }

  /** Resolves when the last is on disk, or cannot be. */
  async close (): Promise<void> {
    this.#write()
    await this.#writing
  }

  #write (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const text = this.#wanted
    if (text === undefined || text === this.#written) return
    this.#writing = this.#writing.then(async () => {
      try {
        await writeAtomic(this.#file, Buffer.from(text), path.dirname(this.#file))
        this.#written = text
        this.failure = undefined
      } catch (error) {
        // it is written again when it moves on; until then the log of what was recorded tells more than it
        if (this.failure === undefined) {
          this.#log.error({ file: this.#file, err: error }, `the feed cannot keep its cursor: ${messageOf(error)}`)
        }
        this.failure = messageOf(error)
        this.#timer ??= setTimeout(() => { this.#write() }, INTERVAL * 10)
      }
    })
  }
}

function parse (text: string, file: string): Cursor {
  if (text === '') return { position: undefined, number: 0, sinks: {} }
  let value: { position?: unknown, number?: unknown, sinks?: Record<string, unknown> }
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${file} is damaged. Put it aside to go on from the last record`, { cause })
  }
  const sinks = Object.entries(value.sinks ?? {})
    .filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]))
  const number = Number.isSafeInteger(value.number) ? value.number as number : 0
  return { position: asPosition(value.position), number, sinks: Object.fromEntries(sinks) }
}
