import { Type } from 'typebox'
import { badOption, messageOf } from '../../errors.ts'
import { parseJson, readText } from '../../settings-file.ts'
import { validator, type Fault } from '../../validate.ts'
import { isDid } from '../hydrate/references.ts'
import { chooser, type Rule } from './rule.ts'

const words = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { minItems: 1, description }))

/** A rule without its function, as it stands in a file. */
const schema = Type.Object({
  name: Type.String({ description: 'What its documents are called' }),
  accounts: words('DIDs'),
  words: words('Words of the text'),
  tags: words('Tags'),
  collections: words('NSIDs, or prefixes that end in `.*`; posts by default'),
  authenticated: Type.Optional(Type.Boolean({
    description: 'Whether authors who want no readers without a login get in'
  }))
}, { additionalProperties: false })

const inOption: Fault = (path, problem) => badOption(['feed.documents', path].filter(Boolean).join('.'), problem)
const inFile: Fault = (path, problem) => badOption('feed.documentsFile', [path, problem].filter(Boolean).join(': '))
const [validateOption, validateFile] =
  [inOption, inFile].map(fault => validator<Rule[]>(Type.Array(schema), fault)) as [Check, Check]

type Check = (given: unknown) => Rule[]

/** Checks the rules of feed documents, those of a host and those of a file. @throws RelayError RELAY_BAD_OPTION */
export function parseRules (given: unknown, file: string | undefined): Rule[] {
  const rules = [...ofHost(given), ...file === undefined ? [] : validateFile(listIn(file))]
  for (const [n, { name, accounts = [] }] of rules.entries()) {
    const wrong = accounts.find(did => !isDid(did))
    if (wrong !== undefined) throw inOption(`${name}.accounts`, `${JSON.stringify(wrong)} is no DID`)
    if (rules.findIndex(other => other.name === name) !== n) throw inOption('', `two are called ${name}`)
    chooser(rules[n]!) // throws for a name that is none
  }
  return rules
}

function ofHost (given: unknown): Rule[] {
  if (given === undefined) return []
  if (!Array.isArray(given)) throw inOption('', 'must be a list of rules')
  const matches = given.map((rule: Partial<Rule> | null) => rule?.match)
  const wrong = matches.findIndex(match => match !== undefined && typeof match !== 'function')
  if (wrong >= 0) throw inOption(`${wrong}.match`, 'must be a function')
  const rules = validateOption(given.map((rule: Rule) => {
    const { match, ...rest } = Object(rule) as Rule
    return rest
  }))
  return rules.map((rule, n) => matches[n] === undefined ? rule : { ...rule, match: matches[n] })
}

function listIn (file: string): unknown {
  try {
    return parseJson(readText(file))
  } catch (cause) {
    throw inFile('', messageOf(cause))
  }
}
