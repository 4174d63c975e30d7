import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { openLocalFile } from '../../objects/local-file.ts'
import { invalidBundle } from '../file/refusal.ts'
import type { StoredBundle } from '../stores/store.ts'

/** A bundle that the options name. */
export interface NamedBundle {
  /** Its file, for people */
  readonly name: string
  /**
   * Must be closed.
   * @throws RelayError RELAY_FILE_NOT_FOUND, RELAY_BUNDLE_INVALID when it is no file, RELAY_STORAGE_FAILED
   */
  open (): Promise<StoredBundle>
}

/** A bundle that is a file of this machine's. */
export function bundleFile (path: string): NamedBundle {
  return {
    name: path, open: async () => await openLocalFile(path, { refuse: unreadable, changed: 'RELAY_BUNDLE_CHANGED' })
  }
}

/** Opens and uses a bundle; what is wrong with it is said with its name. */
export async function withNamed (bundle: NamedBundle, use: (opened: StoredBundle) => Promise<unknown>): Promise<void> {
  try {
    const opened = await bundle.open()
    try {
      await use(opened)
    } finally {
      await opened.close()
    }
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    const { code, message } = error
    throw new RelayError(
      code, code === 'RELAY_FILE_NOT_FOUND' ? `${message}: ${bundle.name}` : `${bundle.name}: ${message}`,
      { cause: error }
    )
  }
}

/** Clients may see the message, so it names no path. Tonk's scripts look for "not found". */
function unreadable (error: unknown): RelayError {
  const code = codeOf(error)
  if (code === 'EISDIR') return invalidBundle('not a file')
  return code === 'ENOENT'
    ? new RelayError('RELAY_FILE_NOT_FOUND', 'Bundle file not found', { cause: error })
    : new RelayError(
      'RELAY_STORAGE_FAILED', `cannot read the bundle’s file: ${code ?? messageOf(error)}`, { cause: error }
    )
}
