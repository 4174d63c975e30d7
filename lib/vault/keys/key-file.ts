import { open, readFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { makeFolder, syncFolder } from '../../objects/atomic-file.ts'
import { ClusterKey } from './cluster-key.ts'
import { fromRecoveryText, toRecoveryText } from './recovery-text.ts'

/** @throws RelayError RELAY_VAULT_KEY_MISSING when there is none, RELAY_BAD_OPTION when it is damaged */
export async function readKeyFile (file: string): Promise<ClusterKey> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    const what =
      codeOf(cause) === 'ENOENT'
        ? 'is not there: `tonk-relay vault init` makes one, `tonk-relay vault key restore` brings one back'
        : `cannot be read: ${messageOf(cause)}`
    throw new RelayError('RELAY_VAULT_KEY_MISSING', `the vault's key ${file} ${what}`, { cause })
  }
  return new ClusterKey(fromRecoveryText(text))
}

/**
 * Writes a key as its recovery text, readable by its owner only. Never over another file.
 * @throws RelayError RELAY_VAULT_KEY_WRONG when there is one already
 */
export async function writeKeyFile (file: string, key: ClusterKey): Promise<void> {
  await makeFolder(path.dirname(file))
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(`${toRecoveryText(key.bytes())}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') {
      throw new RelayError('RELAY_VAULT_KEY_WRONG', `there is a key already: ${file}`, { cause })
    }
    throw cause
  }
  await syncFolder(path.dirname(file))
}
