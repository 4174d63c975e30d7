/** Anybody's JSON as what it ought to be; nothing of it is trusted. */
export type Json = Record<string, unknown>

export const fields = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Json : {}
export const list = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : []
export const text = (value: unknown): string | undefined => typeof value === 'string' ? value : undefined

/** The same with its keys in snake_case, at every depth that `JSON.parse` has read. */
export function snakeCase (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [snake(key), snakeCase(one)]))
}

const known = new Map<string, string>()
const MAX_KNOWN = 1_000

/** Keys are few, but for those that strangers make up. */
function snake (key: string): string {
  let snaked = known.get(key)
  if (snaked !== undefined) return snaked
  snaked = key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
  if (known.size < MAX_KNOWN) known.set(key, snaked)
  return snaked
}
