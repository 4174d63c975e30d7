import { RelayError } from '../errors.ts'
import { openLocalFile } from '../objects/local-file.ts'
import type { StoredObject } from '../objects/object-store.ts'

/**
 * The WASM of Tonk's client, which old clients load from their relay; opened anew each time, so that it can be
 * replaced.
 */
export class WasmFile {
  readonly #path: string | undefined

  constructor (path: string | undefined) {
    this.#path = path
  }

  /** Must be closed. @throws RelayError RELAY_FILE_NOT_FOUND */
  async open (): Promise<StoredObject> {
    if (this.#path === undefined) throw new RelayError('RELAY_FILE_NOT_FOUND', 'WASM file not found')
    return await openLocalFile(this.#path)
  }
}
