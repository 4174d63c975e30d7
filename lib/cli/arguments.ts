import { parseArgs, type ParseArgsConfig } from 'node:util'
import { RelayError, messageOf } from '../errors.ts'
import { nearest } from '../validate.ts'
import { readValues, settings, type Values } from './settings.ts'

/** What a command line asks for. */
export type Command = { name: 'help' } | { name: 'version' } | { name: 'start', flags: Values } | Task

/** Work on a storage folder instead of a relay. `place` is the backup's. */
export type Task =
  | { name: 'backup', place: string, flags: Values }
  | { name: 'restore', place: string, flags: Values }
  | { name: 'stat', json: boolean, flags: Values }
  | { name: 'check', json: boolean, repair: boolean, flags: Values }

/** Arguments without a flag, in their order, as Tonk's relays take them. */
const positions = ['port', 'bundle', 'storage']

/** Words in the place of a port, which is a number. */
const tasks = new Set<string>(['backup', 'restore', 'check', 'stat'] satisfies Array<Task['name']>)

const flags: NonNullable<ParseArgsConfig['options']> = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  json: { type: 'boolean' },
  repair: { type: 'boolean' },
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
  const { json, repair, ...texts } = values
  if (tasks.has(positionals[0] ?? '')) return parseTask(positionals, { json: json === true, repair: repair === true }, texts)
  if (json !== undefined || repair !== undefined) throw refused(`--${json === undefined ? 'repair' : 'json'} goes with check or stat`)
  for (const [index, text] of positionals.entries()) {
    const flag = positions[index]
    if (flag === undefined) throw refused(`unexpected argument ${JSON.stringify(text)}`)
    if (texts[flag] !== undefined) throw refused(`${flag} is given twice, as ${JSON.stringify(text)} and as --${flag}`)
    texts[flag] = text
  }
  return { name: 'start', flags: readValues(texts, 'flag') }
}

function parseTask ([name, ...places]: string[], { json, repair }: { json: boolean, repair: boolean }, texts: Record<string, unknown>): Task {
  const flags = readValues(texts, 'flag')
  if (name === 'backup' || name === 'restore') {
    const [place, ...more] = places
    if (place === undefined || more.length > 0) throw refused(`tonk-relay ${name} <folder|file.tar>`)
    if (json || repair) throw refused(`--${json ? 'json' : 'repair'} goes with check or stat`)
    return { name, place, flags }
  }
  if (places.length > 0) throw refused(`unexpected argument ${JSON.stringify(places[0])}`)
  if (name === 'check') return { name, json, repair, flags }
  if (repair) throw refused('--repair goes with check')
  return { name: 'stat', json, flags }
}

function parse (args: string[]): { values: Record<string, unknown>, positionals: string[] } {
  try {
    return parseArgs({ args, options: flags, allowPositionals: true, allowNegative: true })
  } catch (cause) {
    // Node's advice on arguments that start with a dash follows the first sentence.
    const [problem] = messageOf(cause).split('. To specify')
    const [, name] = /^Unknown option '--(?:no-)?([^']+)'/.exec(problem!) ?? []
    const near = name === undefined ? undefined : nearest(name, Object.keys(flags))
    throw refused(near === undefined ? problem! : `${problem}, did you mean --${near}?`, cause)
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
    '       tonk-relay backup <folder|file.tar> [--storage <folder>]   copy what is stored, while a relay runs or not',
    '       tonk-relay restore <folder|file.tar> [--storage <folder>]  put a backup into an empty folder',
    '       tonk-relay check [--repair] [--json]                       verify what is stored; 2 when something is wrong',
    '       tonk-relay stat [--json]                                   what is stored',
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
