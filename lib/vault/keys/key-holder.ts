import { RelayError } from '../../errors.ts'
import type { ClusterKey } from './cluster-key.ts'
import { readKeyFile } from './key-file.ts'

/** The key of a file, read once it is there. */
export class KeyHolder {
  readonly file: string
  #key: ClusterKey | undefined

  constructor (file: string) {
    this.file = file
  }

  /** What was read. */
  get known (): ClusterKey | undefined {
    return this.#key
  }

  /** @throws RelayError RELAY_VAULT_KEY_MISSING until it was read */
  readonly key = (): ClusterKey => {
    if (this.#key === undefined) throw new RelayError('RELAY_VAULT_KEY_MISSING', 'the vault has no key yet')
    return this.#key
  }

  /** Reads the file, unless it was. @throws RelayError RELAY_VAULT_KEY_MISSING, RELAY_BAD_OPTION when it is damaged */
  async read (): Promise<ClusterKey> {
    this.#key ??= await readKeyFile(this.file)
    return this.#key
  }
}
