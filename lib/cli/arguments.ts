import { parseArgs, type ParseArgsConfig } from 'node:util'
import { RelayError, messageOf } from '../errors.ts'
import { readValues, settings, type Values } from './settings.ts'

/** What a command line asks for. */
export type Command = { name: 'help' } | { name: 'version' } | { name: 'start', flags: Values }

/** Arguments without a flag, in their order, as Tonk's relays take them. */
const positions = ['port', 'bundle', 'storage']

const flags: NonNullable<ParseArgsConfig['options']> = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  ...Object.fromEntries(settings.map(({ flag, type }) => [flag, { type: type === 'boolean' ? 'boolean' : 'string' }]))
}

/**
 * Reads `tonk-relay [port] [bundle] [storage] [--flags]`; `argv` starts behind the program's name. A positional is
 * another way to write its flag, so giving both is refused instead of guessed.
 * @throws RelayError RELAY_BAD_OPTION naming the argument.
 */
export function parseArguments (argv: string[]): Command {
  const { values, positionals } = parse(argv)
  if (values.help === true) return { name: 'help' }
  if (values.version === true) return { name: 'version' }
  const texts: Record<string, unknown> = { ...values }
  for (const [index, text] of positionals.entries()) {
    const flag = positions[index]
    if (flag === undefined) throw refused(`unexpected argument ${JSON.stringify(text)}`)
    if (texts[flag] !== undefined) throw refused(`${flag} is given twice, as ${JSON.stringify(text)} and as --${flag}`)
    texts[flag] = text
  }
  return { name: 'start', flags: readValues(texts, 'flag') }
}

function parse (args: string[]): { values: Record<string, unknown>, positionals: string[] } {
  try {
    return parseArgs({ args, options: flags, allowPositionals: true, allowNegative: true })
  } catch (cause) {
    // Node's advice on arguments that start with a dash follows the first sentence.
    throw refused(messageOf(cause).split('. To specify')[0]!, cause)
  }
}

const refused = (problem: string, cause?: unknown): RelayError => new RelayError('RELAY_BAD_OPTION', problem, { cause })

/** The text of `--help`. */
export function helpText (): string {
  const rows = settings.map(({ flag, type, variable, default: preset, description }): [string, string] => {
    const left = type === 'boolean' ? `--[no-]${flag}` : `--${flag} <${type}>`
    const facts = preset === undefined ? variable : `${variable}, default ${preset}`
    return [left, `${description.replaceAll('`', '')} [${facts}]`]
  })
  rows.push(['-h, --help', 'Print this and exit'], ['-v, --version', 'Print the version and exit'])
  const width = Math.max(...rows.map(([left]) => left.length))
  return [
    'Usage: tonk-relay [port] [bundle] [storage] [options]',
    '',
    'A relay for Automerge documents and Tonk bundles. Without arguments it listens on 127.0.0.1:8081, keeps its',
    'data in ./automerge-repo-data and serves a blank bundle.',
    '',
    'Options [environment variable, default]:',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
    'A flag beats the environment, which beats a .env file in the current folder.',
    'S3 credentials are found as the AWS SDK finds them (AWS_ACCESS_KEY_ID, profiles, roles).',
    ''
  ].join('\n')
}
