import { Type, type Static } from 'typebox'
import { isDocumentId, type DocumentId } from '../ids.ts'
import { validator } from '../validate.ts'
import { ACTIONS, type Action } from './action.ts'
import { isInRules, typedId } from './identity/principal-id.ts'

const documentIds = (description: string) =>
  Type.Optional(Type.Array(Type.Unsafe<DocumentId>({ type: 'string', format: 'document-id' }), { description }))

/** One thing that some may do. What no rule allows is not allowed. */
export const ruleSchema = Type.Object({
  principals: Type.Array(Type.String({ format: 'principal' }), {
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
  allow: [
    'document:read', 'document:write', 'document:create',
    'bundle:read', 'bundle:create', 'bundle:replace', 'bundle:delete'
  ]
}]

const validate = validator<Static<typeof rulesSchema>>(
  rulesSchema,
  (path, problem) => new TypeError([path, problem].filter(Boolean).join(': ')),
  { 'document-id': isDocumentId, principal: isInRules }
)

/** Reads rules. @param value as parsed from JSON. @throws TypeError saying where it is wrong */
export const readRules = (value: unknown): Rule[] =>
  validate(value).rules.map(rule => ({ ...rule, principals: rule.principals.map(typedId) }))
