// What has a meaning of its own in the serializer's text, and what must not get in or out.

/** How deep values may be nested. */
export const MAX_DEPTH = 1000

/** @throws RangeError */
export function checkDepth (depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError(`nested more than ${MAX_DEPTH} deep`)
}

const ESCAPE = '$runner.escape::'

/** Keys of users' own that would be read as marks are written with a prefix. */
export const escapeKey = (key: string): string =>
  key === '__type' || key === '__graph' || key.startsWith(ESCAPE) ? ESCAPE + key : key
export const unescapeKey = (key: string): string => key.startsWith(ESCAPE) ? key.slice(ESCAPE.length) : key

const UNSAFE = new Set(['__proto__', 'constructor', 'prototype'])
const RESERVED = new Set(['__type', '__graph', ...UNSAFE])
const INITIALS = new Set([...RESERVED, ESCAPE].map(key => key.charCodeAt(0)))

/** Text in which every reserved key would be found, even one that is spelt with escapes. */
export const MAY_BE_MARKED =
  new RegExp([...RESERVED, ESCAPE, '\\'].map(text => text.replace(/[$.\\]/g, '\\$&')).join('|'))

/** Keys through which a prototype could be reached: dropped on the way in and out. */
export const isUnsafe = (key: string): boolean => UNSAFE.has(key)

/** Keys that are not written as they are. */
export const isReserved = (key: string): boolean =>
  // the first is cheap, and rules out most
  INITIALS.has(key.charCodeAt(0)) && (RESERVED.has(key) || key.startsWith(ESCAPE))

/** A value that JSON does not have. */
export const isTagged = (value: object): value is { __type: string, value: unknown } =>
  typeof (value as { __type?: unknown }).__type === 'string' && Object.hasOwn(value, 'value')
