import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Task } from '../concern.ts'
import { RelayError, messageOf } from '../errors.ts'
import { nearest } from '../validate.ts'
import { readValues, settings, type Values } from './settings.ts'
import { verbs } from './verbs.ts'

/** What a command line asks for. */
export type Command =
  { name: 'help' } | { name: 'version' } | { name: 'start', flags: Values }
  | { name: 'work', task: Task, flags: Values }

/** Arguments without a flag, in their order, as Tonk's relays take them. */
const positions = ['port', 'bundle', 'storage']

/** Those of verbs, which each belong to some of them. */
const ownFlags =
  Object.assign({}, ...Object.values(verbs).map(({ flags }) => flags)) as Record<string, 'boolean' | 'string'>

const flags: NonNullable<ParseArgsConfig['options']> = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
  ...Object.fromEntries(Object.entries(ownFlags).map(([flag, type]) => [flag, { type }])),
  ...Object.fromEntries(settings.filter(({ isSecret }) => !isSecret).map(({ flag, type }) => [flag, {
    type: type === 'boolean' ? 'boolean' : 'string'
  }]))
}

/**
 * Reads `tonk-relay [port] [bundle] [storage] [--flags]` and `tonk-relay <verb> [words] [--flags]`; `argv` starts
 * behind the program's name. A positional is another way to write its flag, so giving both is refused instead of
 * guessed.
 * @throws RelayError RELAY_BAD_OPTION naming the argument.
 */
export function parseArguments (argv: string[]): Command {
  const { values, positionals } = parse(argv)
  if (values.help === true || positionals[0] === 'help') return { name: 'help' }
  if (values.version === true) return { name: 'version' }
  const all = Object.entries(values)
  const own = Object.fromEntries(all.filter(([flag]) => flag in ownFlags)) as Task['own']
  const texts = Object.fromEntries(all.filter(([flag]) => !(flag in ownFlags)))
  const [verb = '', ...words] = positionals
  if (Object.hasOwn(verbs, verb)) {
    return { name: 'work', task: taskOf(verb, words, own), flags: readValues(texts, 'flag') }
  }
  refuseForeign(own, undefined)
  for (const [index, text] of positionals.entries()) {
    const flag = positions[index]
    if (flag === undefined) throw refused(`unexpected argument ${JSON.stringify(text)}`)
    if (texts[flag] !== undefined) throw refused(`${flag} is given twice, as ${JSON.stringify(text)} and as --${flag}`)
    texts[flag] = text
  }
  return { name: 'start', flags: readValues(texts, 'flag') }
}

function taskOf (verb: string, words: string[], own: Task['own']): Task {
  const { help: [[usage]], words: [least, most] = [0, 0] } = verbs[verb]!
  if (words.length < least || (words.length > most && most > 0)) throw refused(`tonk-relay ${usage}`)
  if (words.length > most) throw refused(`unexpected argument ${JSON.stringify(words[0])}`)
  refuseForeign(own, verb)
  return { verb, words, own }
}

/** A flag of other verbs. */
function refuseForeign (own: Task['own'], verb: string | undefined): void {
  const foreign = Object.keys(own).find(flag => verb === undefined || verbs[verb]!.flags?.[flag] === undefined)
  if (foreign === undefined) return
  const owners = Object.entries(verbs).filter(([, { flags }]) => flags?.[foreign] !== undefined).map(([name]) => name)
  throw refused(`--${foreign} goes with ${owners.join(' or ')}`)
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
  const rows = settings.map(({ flag, isSecret, type, variable, default: preset, description }): [string, string] => {
    const left = isSecret ? `(${variable})` : type === 'boolean' ? `--[no-]${flag}` : `--${flag} <${type}>`
    const facts = preset === undefined ? variable : `${variable}, default ${preset}`
    return [left, `${description.replaceAll('`', '')} [${facts}]`]
  })
  rows.push(['-h, --help', 'Print this and exit'], ['-v, --version', 'Print the version and exit'])
  const width = Math.max(...rows.map(([left]) => left.length))
  return [
    'Usage: tonk-relay [port] [bundle] [storage] [options]',
    ...verbLines(),
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

function verbLines (): string[] {
  const lines = Object.values(verbs).flatMap(({ help }) => help)
  const width = Math.max(...lines.map(([usage]) => usage.length))
  return lines.map(([usage, does]) => `       tonk-relay ${usage.padEnd(width)}  ${does}`)
}
