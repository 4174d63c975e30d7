const MAX_CHARACTERS = 256
const MAX_BYTES = 512 // of UTF-8: S3 takes 2 KiB of metadata, in which a bundle's owner is percent-encoded

/** Names that mean something else in rules. */
export const RESERVED = { anonymous: 'anonymous', tunnel: 'tunnel', everybody: '*' } as const

const reserved = new Set<string>(Object.values(RESERVED))

/** What a terminal does not show, and what cannot be written in UTF-8: two names would look, or be stored, as one. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|^\s|\s$/u

/**
 * Why nobody can be called that, if so. Ids are compared exactly, as JWTs have it (RFC 7519 section 4.1.2), so those
 * that only look alike are refused and not made one: an issuer may have given them to two people.
 */
export function whyNoPrincipalId (id: unknown): string | undefined {
  if (typeof id !== 'string' || id === '') return 'not a text'
  if (id.length > MAX_CHARACTERS || Buffer.byteLength(id) > MAX_BYTES) {
    return `longer than ${MAX_CHARACTERS} characters or ${MAX_BYTES} bytes`
  }
  if (reserved.has(id)) return 'a word of the rules'
  if (INVISIBLE.test(id)) return 'with characters that cannot be seen'
  return id === id.normalize() ? undefined : 'not in Unicode’s normal form C'
}

/** Whether somebody may be called that. */
export const isPrincipalId = (id: unknown): id is string => whyNoPrincipalId(id) === undefined

/** An id as somebody has typed it, in the form that ids have. */
export const typedId = (text: string): string => text.normalize()

/** Whether a rule may be about it: an id, however typed, or one of the words. */
export const isInRules = (text: string): boolean => reserved.has(text) || isPrincipalId(typedId(text))
