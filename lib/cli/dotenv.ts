import { parseEnv } from 'node:util'
import { RelayError } from '../errors.ts'
import { withoutMark } from '../settings-file.ts'

/** A comment or `NAME=value`, the value bare on one line or quoted over many; what Node's own reader understands. */
const entry =
  /^[ \t]*(?:#.*|(?:export[ \t]+)?[\w.-]+[ \t]*=[ \t]*(?:(?:'[^']*'|"[^"]*"|`[^`]*`)[ \t]*(?:#.*)?|(?![ \t'"`]).*))$/gm

/**
 * The variables of a `.env` file. Node's reader makes one name of several lines when one of them is no assignment, so
 * such a line is refused first.
 * @throws RelayError RELAY_BAD_OPTION with the line's number.
 */
export function parseDotenv (text: string): Record<string, string> {
  const unix = withoutMark(text).replaceAll('\r', '')
  const rest = unix.replace(entry, match => match.replace(/[^\n]/g, '')).split('\n')
  const line = rest.findIndex(left => left.trim() !== '')
  if (line !== -1) throw new RelayError('RELAY_BAD_OPTION', `.env: line ${line + 1} is not NAME=value`)
  return parseEnv(unix) as Record<string, string>
}
