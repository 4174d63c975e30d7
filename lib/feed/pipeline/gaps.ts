import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../errors.ts'
import { writeAtomic } from '../../objects/atomic-file.ts'
import type { Gap } from './gap.ts'

const MOST = 10_000

/** The parts of the stream that are not known, in a file. */
export class Gaps {
  readonly #file: string
  #list: readonly Gap[]

  private constructor (file: string, list: readonly Gap[]) {
    this.#file = file
    this.#list = list
  }

  static async open (file: string): Promise<Gaps> {
    try {
      return new Gaps(file, JSON.parse(await readFile(file, 'utf8')))
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return new Gaps(file, [])
      throw error
    }
  }

  /** Oldest first. */
  get list (): readonly Gap[] { return this.#list }

  /** On disk when resolved. The same gap found again, after a crash for instance, is one. */
  async add (gap: Gap): Promise<void> {
    const others = this.#list.filter(({ from }) => from.host !== gap.from.host || from.cursor !== gap.from.cursor)
    const list = [...others, gap].slice(-MOST)
    await writeAtomic(this.#file, Buffer.from(JSON.stringify(list, null, 1)), path.dirname(this.#file))
    this.#list = list
  }
}
