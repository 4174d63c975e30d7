import type { DocumentId } from '../ids.ts'
import type { Action, Resource } from './action.ts'
import { ANONYMOUS, type Principal } from './identity/principal.ts'
import type { Rule } from './rule.ts'

/** Whether any rule is about those without a token. */
export const isForAnonymous = (rules: readonly Rule[]): boolean =>
  rules.some(({ principals }) => principals.includes(ANONYMOUS.id))

/** Whether the rules allow it; at once, unless it depends on what is part of a bundle. */
export function permits (
  rules: readonly Rule[], principal: Principal, action: Action, resource: Resource
): boolean | Promise<boolean> {
  const { id } = resource
  const isOfDocument = action.startsWith('document:')
  const bundles = new Set<DocumentId>()
  for (const rule of rules) {
    if (!rule.allow.includes(action) || !isAbout(rule, principal)) continue
    const isForAll = rule.documents === undefined && rule.bundles === undefined
    if (id === undefined || isForAll) return true
    if ((isOfDocument ? rule.documents : rule.bundles)?.includes(id) === true) return true
    if (isOfDocument) for (const bundle of rule.bundles ?? []) bundles.add(bundle)
  }
  return bundles.size > 0 && isInOne(bundles, resource)
}

const isAbout = ({ principals }: Rule, { id }: Principal): boolean =>
  principals.includes(id) || (id !== ANONYMOUS.id && principals.includes('*'))

async function isInOne (bundles: Iterable<DocumentId>, resource: Resource): Promise<boolean> {
  for (const bundle of bundles) if (await resource.isIn(bundle)) return true
  return false
}
