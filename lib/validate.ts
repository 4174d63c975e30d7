import { Ajv, type ErrorObject, type Options as AjvOptions, type ValidateFunction } from 'ajv'
import { closestMatch } from 'leven'
import type { TSchema } from 'typebox'

/** How many names are listed at most when none of them is near. */
const MAX_LISTED = 12

/** What is wrong with a setting. @param path of its name, with dots; empty for the whole */
export type Fault = (path: string, problem: string) => Error

/**
 * A check of what people write by hand: it fills in defaults, and refuses what it does not know instead of doing
 * without, because a setting that is misspelt is often one that was to protect something.
 * @returns a function that gives a copy, filled in, or throws what `fault` makes of the first thing that is wrong
 */
export function validator<T> (
  schema: TSchema, fault: Fault, formats: NonNullable<AjvOptions['formats']> = {}
): (given: unknown) => T {
  let compiled: ValidateFunction<T> | undefined
  const compile = (): ValidateFunction<T> =>
    new Ajv({ useDefaults: true, strict: false, allErrors: true, verbose: true, formats }).compile<T>(schema)
  return given => {
    const valid = compiled ??= compile() // when it is needed, or what is off would double the time of a start
    const filled = copy(given)
    if (valid(filled)) return filled
    const errors = valid.errors!
    const first = errors.find(({ keyword }) => keyword === 'additionalProperties') ?? errors[0]!
    throw fault(pathOf(first), problemOf(first))
  }
}

/** Refuses the first name that is none of those known, also where nothing is given under it. */
export function refuseUnknown (given: object, known: readonly string[], fault: Fault): void {
  const name = Object.keys(given).find(name => !known.includes(name))
  if (name !== undefined) throw fault(name, unknown(name, known))
}

/** What to say of a name that is none of those known. */
export const unknown = (name: string, known: readonly string[]): string => `unknown name${hint(name, known)}`

/** The known name that was probably meant, if there is one. */
export function nearest (name: string, known: readonly string[]): string | undefined {
  const plain = new Map(known.map(name => [name.toLowerCase(), name]))
  const found = closestMatch(name.toLowerCase(), [...plain.keys()], { maxDistance: Math.ceil(name.length / 2) })
  return found === undefined ? undefined : plain.get(found)
}

function hint (name: string, known: readonly string[]): string {
  const near = nearest(name, known)
  if (near !== undefined) return `, did you mean ${near}?`
  return known.length <= MAX_LISTED ? `, there are ${known.join(', ')}` : ''
}

function pathOf ({ instancePath, keyword, params }: ErrorObject): string {
  const path = instancePath.slice(1).replaceAll('/', '.')
  const member = keyword === 'additionalProperties'
    ? params['additionalProperty']
    : keyword === 'required'
      ? params['missingProperty']
      : undefined
  return [path, member].filter(Boolean).join('.')
}

function problemOf ({ keyword, params, parentSchema, data, message }: ErrorObject): string {
  if (keyword === 'additionalProperties') {
    return unknown(params['additionalProperty'], Object.keys(parentSchema!['properties']))
  }
  if (keyword === 'required') return 'is missing'
  if (keyword !== 'enum') return message!
  const near = typeof data === 'string' ? nearest(data, params['allowedValues']) : undefined
  return `must be one of ${params['allowedValues'].join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** Of lists and objects, as deep as settings go. */
function copy (value: unknown, depth = 8): unknown {
  if (depth === 0 || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(item => copy(item, depth - 1))
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copy(member, depth - 1)]))
}
