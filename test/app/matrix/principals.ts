import type { Test } from 'tap'
import type { Action } from '../../../lib/access/action.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { issuer, seconds } from '../../lib/access/identity/issuer.ts'
import { scratch } from '../../scratch.ts'

/** Somebody’s who may write, and what rules with a scope are about; an administrator’s; nobody’s, as there is none. */
export const RESOURCES = ['mine', 'other', 'absent'] as const
export type Resource = typeof RESOURCES[number]

/** What a principal may do: everywhere, or with what is `mine` as a document or as a bundle. */
interface Grant { allow: readonly Action[], within?: 'documents' | 'bundles' }

interface Row {
  grants: readonly Grant[]
  /** What everything is answered with that is not public. */
  refusal?: readonly [status: number, code: string]
}

const READING: readonly Action[] = ['document:read', 'bundle:read']
const WRITING: readonly Action[] = [
  'document:write', 'document:create', 'document:delete', 'bundle:create', 'bundle:replace', 'bundle:delete'
]

/** Who there is: the one table that what is expected is computed from, and the relay’s rules are made of. */
export const PRINCIPALS = {
  anonymous: { grants: [], refusal: [401, 'RELAY_UNAUTHENTICATED'] },
  expired: { grants: [{ allow: [...READING, ...WRITING] }], refusal: [401, 'RELAY_TOKEN_EXPIRED'] },
  revoked: { grants: [{ allow: [...READING, ...WRITING] }], refusal: [403, 'RELAY_ACCESS_REVOKED'] },
  stranger: { grants: [] },
  reader: { grants: [{ allow: READING }] },
  writer: { grants: [{ allow: [...READING, ...WRITING] }] },
  blind: { grants: [{ allow: WRITING }] },
  'document-scoped': {
    grants: [{ allow: ['document:read', 'document:write', 'document:delete'], within: 'documents' }]
  },
  'bundle-scoped': {
    grants: [{
      allow: ['document:read', 'document:write', 'bundle:read', 'bundle:replace', 'bundle:delete'], within: 'bundles'
    }]
  },
  'metrics-reader': { grants: [{ allow: ['metrics:read'] }] },
  'feed-reader': { grants: [{ allow: ['feed:read'] }] },
  'vault-reader': { grants: [{ allow: ['vault:read'] }] },
  'vault-writer': { grants: [{ allow: ['vault:write'] }] },
  administrator: {
    grants: [{
      allow: [
        ...READING, ...WRITING, 'feed:read', 'feed:manage', 'vault:read', 'vault:write', 'vault:manage', 'metrics:read',
        'administer'
      ]
    }]
  }
} as const satisfies Record<string, Row>

export type Name = keyof typeof PRINCIPALS
export const NAMES = Object.keys(PRINCIPALS) as Name[]

export const refusalOf = (name: Name): Row['refusal'] => (PRINCIPALS[name] as Row).refusal

/** Whether the table says so. Without a resource: whether it may with any. */
export const may = (name: Name, action: Action, resource?: Resource): boolean =>
  (PRINCIPALS[name] as Row).grants.some(({ allow, within }) => allow.includes(action) && (
    within === undefined || resource === undefined ||
    (resource === 'mine' && (within === 'bundles' || action.startsWith('document:')))
  ))

/** Their tokens, and the relay’s options that know them. @param mine what rules with a scope are about */
export async function admit (t: Test, mine: readonly DocumentId[]) {
  const { file, sign } = await issuer(t)
  const rules = NAMES.flatMap(name => (PRINCIPALS[name] as Row).grants.map(({ allow, within }) => ({
    principals: [name], allow, ...within && { [within]: mine }
  })))
  const folder = await scratch(t, {
    'rules.json': JSON.stringify({ rules: rules.filter(({ principals: [name] }) => name !== 'anonymous') })
  })
  const tokens = new Map<Name, string>()
  for (const name of NAMES) {
    if (name !== 'anonymous') tokens.set(name, await sign({ sub: name, exp: seconds(name === 'expired' ? -60 : 3600) }))
  }
  return { tokens, options: { jwtKeys: file, jwtTolerance: 0, rules: `${folder}/rules.json` } }
}
