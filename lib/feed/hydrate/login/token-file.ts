import { createHash } from 'node:crypto'
import { chmod, readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../../errors.ts'
import { makeFolder, writeAtomic } from '../../../objects/atomic-file.ts'
import type { Tokens, TokenStore } from './credentials.ts'

/** Tokens in files of a folder that is nobody's but the relay's. */
export class TokenFiles implements TokenStore {
  readonly #folder: string

  constructor (folder: string) {
    this.#folder = folder
  }

  async read (name: string): Promise<Tokens | undefined> {
    try {
      const { accessJwt, refreshJwt } = JSON.parse(
        await readFile(this.#fileOf(name), 'utf8')
      ) as Record<string, unknown>
      const isWhole = typeof accessJwt === 'string' && typeof refreshJwt === 'string'
      return isWhole ? { accessJwt, refreshJwt } : undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  async write (name: string, { accessJwt, refreshJwt }: Tokens): Promise<void> {
    await makeFolder(this.#folder)
    await chmod(this.#folder, 0o700)
    await writeAtomic(this.#fileOf(name), Buffer.from(JSON.stringify({ accessJwt, refreshJwt })), this.#folder)
  }

  #fileOf (name: string): string {
    return path.join(this.#folder, `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`)
  }
}
