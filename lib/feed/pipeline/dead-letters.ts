import { randomUUID } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../errors.ts'
import { writeAtomic } from '../../objects/atomic-file.ts'

const MOST = 10_000 // letters: beyond, the oldest go, and are counted
const LONGEST = 64 * 1024 // characters of a frame that are kept

/** What could not be taken for what it is. */
export interface DeadLetter {
  readonly id: string
  /** ms since 1970 */
  readonly at: number
  /** `source` for a frame that is no event, else the sink that refused the record */
  readonly from: string
  readonly reason: string
  /** The record's number in the feed */
  readonly number?: number
  /** The frame, as text if it is text, else as base64; the server it came from */
  readonly frame?: string
  readonly base64?: string
  readonly host?: string
}

/** What was refused, kept until somebody deals with it: a line for each in a file. */
export class DeadLetters {
  /** Letters that had to go for others */
  dropped = 0
  readonly #file: string
  #letters: Map<string, DeadLetter>
  #writing: Promise<unknown> = Promise.resolve()

  private constructor (file: string, letters: DeadLetter[]) {
    this.#file = file
    this.#letters = new Map(letters.map(letter => [letter.id, letter]))
  }

  /** A line that was cut short by a crash is passed over. */
  static async open (file: string): Promise<DeadLetters> {
    let text = ''
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    return new DeadLetters(file, text.split('\n').map(parse).filter(letter => letter !== undefined))
  }

  get size (): number { return this.#letters.size }

  /** Oldest first. */
  get list (): DeadLetter[] { return [...this.#letters.values()] }

  get (id: string): DeadLetter | undefined { return this.#letters.get(id) }

  /** Keeps letters; on disk when resolved. */
  async add (given: ReadonlyArray<Omit<DeadLetter, 'id' | 'at'>>): Promise<void> {
    const at = Date.now()
    const letters = given.map(letter => ({ id: randomUUID(), at, ...letter }))
    await this.#queue(async () => {
      if (this.#letters.size + letters.length > MOST) {
        const kept = [...this.#letters.values(), ...letters].slice(-MOST * 0.9)
        this.dropped += this.#letters.size + letters.length - kept.length
        await this.#rewrite(new Map(kept.map(letter => [letter.id, letter])))
        return
      }
      const handle = await open(this.#file, 'a')
      try {
        await handle.writeFile(letters.map(letter => `${JSON.stringify(letter)}\n`).join(''))
        await handle.datasync()
      } finally {
        await handle.close()
      }
      for (const letter of letters) this.#letters.set(letter.id, letter)
    })
  }

  /** A letter has been dealt with. */
  async remove (ids: readonly string[]): Promise<void> {
    await this.#queue(async () => {
      const letters = new Map(this.#letters)
      for (const id of ids) letters.delete(id)
      await this.#rewrite(letters)
    })
  }

  async close (): Promise<void> {
    await this.#writing
  }

  async #rewrite (letters: Map<string, DeadLetter>): Promise<void> {
    const lines = [...letters.values()].map(letter => `${JSON.stringify(letter)}\n`)
    await writeAtomic(this.#file, Buffer.from(lines.join('')), path.dirname(this.#file))
    this.#letters = letters
  }

  async #queue (job: () => Promise<void>): Promise<void> {
    const run = this.#writing.then(job)
    this.#writing = run.catch(() => {}) // the failure is the caller's
    await run
  }
}

/** A frame in a letter. */
export function letterOfFrame (frame: Buffer, reason: string, host: string): Omit<DeadLetter, 'id' | 'at'> {
  const text = frame.toString()
  const isText = !text.includes('\ufffd')
  return {
    from: 'source',
    reason,
    host,
    ...isText ? { frame: text.slice(0, LONGEST) } : { base64: frame.subarray(0, LONGEST).toString('base64') }
  }
}

function parse (line: string): DeadLetter | undefined {
  try {
    const letter = JSON.parse(line) as DeadLetter
    return typeof letter.id === 'string' && typeof letter.from === 'string' ? letter : undefined
  } catch {
    return undefined
  }
}
