import { Type, type Static } from 'typebox'
import { isDocumentId, type DocumentId } from '../ids.ts'
import { ACTIONS, type Action, type Resource } from './action.ts'
import { validator } from '../validate.ts'
import { ANONYMOUS, type Principal } from './identity/principal.ts'

const documentIds = (description: string) => Type.Optional(Type.Array(Type.Unsafe<DocumentId>({ type: 'string', format: 'document-id' }), { description }))

/** One thing that some may do. What no rule allows is not allowed. */
export const ruleSchema = Type.Object({
  principals: Type.Array(Type.String({ minLength: 1, maxLength: 256 }), {
    default: ['*'], description: 'Who: ids; `*` for everybody with a token, `anonymous` for everybody without'
  }),
  allow: Type.Array(Type.Unsafe<Action>({ type: 'string', enum: ACTIONS }), { minItems: 1, description: 'What' }),
  documents: documentIds('To which documents'),
  bundles: documentIds('To which bundles, and to the documents that are part of them')
}, { additionalProperties: false })

/** A rule that names documents or bundles is about nothing else. */
export type Rule = Static<typeof ruleSchema>

/** What the rules file holds. */
export const rulesSchema = Type.Object({ rules: Type.Array(ruleSchema) }, { additionalProperties: false })

/** What holds for everybody with a token when nobody has said anything. */
export const DEFAULT_RULES: readonly Rule[] = [{
  principals: ['*'],
  allow: ['document:read', 'document:write', 'document:create', 'bundle:read', 'bundle:create', 'bundle:replace', 'bundle:delete']
}]

const validate = validator<Static<typeof rulesSchema>>(
  rulesSchema,
  (path, problem) => new TypeError([path, problem].filter(Boolean).join(': ')),
  { 'document-id': isDocumentId }
)

/** Reads rules. @param value as parsed from JSON. @throws TypeError saying where it is wrong */
export const readRules = (value: unknown): Rule[] => validate(value).rules

/** Whether any rule is about those without a token. */
export const isForAnonymous = (rules: readonly Rule[]): boolean => rules.some(({ principals }) => principals.includes(ANONYMOUS.id))

/** Whether the rules allow it; at once, unless it depends on what is part of a bundle. */
export function permits (rules: readonly Rule[], principal: Principal, action: Action, resource: Resource): boolean | Promise<boolean> {
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
