import type { Visibility } from './hydrator.ts'

const AUTHENTICATED = '!no-unauthenticated'
const HIDDEN: readonly unknown[] = ['!hide', '!takedown']

/**
 * Who may see what an account writes, by the labels of its profile as an AppView tells it
 * (https://atproto.com/specs/label). That they want no logged-out readers people say of themselves; what is for nobody,
 * a moderator.
 */
export function visibilityOf (profile: unknown, now = Date.now()): Visibility {
  const { did, labels } = fields(profile)
  if (typeof did !== 'string') return 'unknown'
  let visibility: Visibility = 'public'
  for (const { val, src, neg, exp } of list(labels).map(fields)) {
    if (neg === true || (typeof exp === 'string' && Date.parse(exp) <= now)) continue
    if (HIDDEN.includes(val)) return 'hidden'
    if (val === AUTHENTICATED && (src === did || src === undefined)) visibility = 'authenticated'
  }
  return visibility
}

/**
 * Who may see a post, as an AppView tells it: whoever may see what its author writes, unless the post has labels of its
 * own.
 */
export function visibilityOfPost (post: unknown, now = Date.now()): Visibility {
  const { author, labels } = fields(post)
  const own = visibilityOf({ did: '', labels }, now)
  return own === 'hidden' ? own : visibilityOf(author, now)
}

const fields = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? value as Record<string, unknown> : {}
const list = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : []
