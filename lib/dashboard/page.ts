import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { RelayError, messageOf } from '../errors.ts'

/** A file of the page. */
export interface PageFile { readonly type: string, readonly bytes: Uint8Array, readonly etag: string }

const SHELL = 'index.html'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm'
}

/**
 * The page as `npm run build` has made it: in memory, some megabytes. Every name but the shell's has a hash of the
 * contents in it.
 */
export class Page {
  readonly shell: PageFile
  readonly #files: ReadonlyMap<string, PageFile>

  private constructor (files: Map<string, PageFile>) {
    this.#files = files
    this.shell = files.get(SHELL)!
  }

  /** @throws RelayError RELAY_BAD_OPTION when it has not been built */
  static async open (folder = builtFolder()): Promise<Page> {
    try {
      const names = (await readdir(folder)).filter(name => path.extname(name) in TYPES)
      const files = new Map(
        await Promise.all(names.map(async name => [name, await readPageFile(path.join(folder, name))] as const))
      )
      if (!files.has(SHELL)) throw new Error(`no ${SHELL}`)
      return new Page(files)
    } catch (cause) {
      throw new RelayError(
        'RELAY_BAD_OPTION',
        `option dashboard: the page has not been built (npm run build): ${messageOf(cause)}`,
        { cause }
      )
    }
  }

  /** One of the files that the shell names. */
  file (name: string): PageFile | undefined { return name === SHELL ? undefined : this.#files.get(name) }
}

async function readPageFile (file: string): Promise<PageFile> {
  const bytes = await readFile(file)
  return {
    type: TYPES[path.extname(file)]!,
    bytes,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  }
}

/** The same from the sources as from `dist`. */
const builtFolder = (): string => path.join(
  path.dirname(createRequire(import.meta.url).resolve('fastify-automerge-relay/package.json')), 'dist/dashboard'
)
