import { RelayError } from '../../errors.ts'
import { openLocalFile } from './local-file.ts'
import type { StoredBundle } from './store.ts'

/** Opens and uses a file of the options; what is wrong with it is said with its path. */
export async function withNamedFile (file: string, use: (opened: StoredBundle) => Promise<unknown>): Promise<void> {
  try {
    const opened = await openLocalFile(file)
    try {
      await use(opened)
    } finally {
      await opened.close()
    }
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    const message = error.code === 'RELAY_FILE_NOT_FOUND' ? `${error.message}: ${file}` : `${file}: ${error.message}`
    throw new RelayError(error.code, message, { cause: error })
  }
}
