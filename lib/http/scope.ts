/** A scope of Fastify's. Scopes inherit from each other, and the root from none. */
export interface Scope { readonly prefix: string }

const parentOf = (scope: Scope): Partial<Scope> => Object.getPrototypeOf(scope)

export const isRoot = (scope: Scope): boolean => parentOf(scope).prefix === undefined

/**
 * Whether the relay answers paths that do not exist: on the root, or below a prefix of its own. A scope without one
 * shares the host's handler, of which there can be only one.
 */
export function ownsUnknownPaths (scope: Scope): boolean {
  const path = (prefix = ''): string => prefix.replace(/\/$/, '')
  return isRoot(scope) || path(parentOf(scope).prefix) !== path(scope.prefix)
}
