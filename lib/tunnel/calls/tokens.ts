import { RelayError, messageOf } from '../../errors.ts'
import { readText } from '../../settings-file.ts'

/** The tokens in a file, one on each line; lines that begin with # do not count. @throws RelayError RELAY_BAD_OPTION */
export function readTokens (file: string): string[] {
  const tokens = read(file).split('\n').map(line => line.trim()).filter(line => line !== '' && !line.startsWith('#'))
  if (tokens.length === 0) {
    throw new RelayError('RELAY_BAD_OPTION', `option tunnel.tokenFile: there is no token in ${file}`)
  }
  return tokens
}

function read (file: string): string {
  try {
    return readText(file)
  } catch (cause) {
    throw new RelayError('RELAY_BAD_OPTION', `option tunnel.tokenFile: ${messageOf(cause)}`, { cause })
  }
}
