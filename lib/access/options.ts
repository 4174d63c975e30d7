import { Type } from 'typebox'
import { badOption } from '../errors.ts'
import type { Authorize } from './authorize.ts'
import type { Authenticate } from './identity/authenticator.ts'
import { Revocations } from './revocations.ts'

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

/** The settings of access control that can be written down. */
export const accessProperties = {
  tokens: text('Fixed tokens: `<principal>:<SHA-256 of the token in hex>`, comma-separated'),
  jwtKeys: text(
    'Keys for checking signed tokens (JWT): a JWKS, as file or URL, or a file with a public key (PEM)'
  ),
  jwtIssuer: text('What the `iss` claim of a signed token must be'),
  jwtAudience: text('What the `aud` claim of a signed token must be or contain'),
  jwtTolerance: Type.Integer({
    default: 30_000, minimum: 0, maximum: 3_600_000, description: 'How far clocks may differ, in ms'
  }),
  rules: text('JSON file with the access rules; read again when it changes')
}

/** What a host says itself. */
export interface AccessOptions {
  /** Says who a request is from; asked before tokens */
  authenticate?: Authenticate | undefined
  /** Says who may do what, in place of rules */
  authorize?: Authorize | undefined
  /** Takes access back, from live connections too */
  revocations?: Revocations | undefined
}

/** @throws RelayError RELAY_BAD_OPTION */
export function parseAccessOptions (given: AccessOptions & { rules?: string | undefined }): AccessOptions {
  const { authenticate, authorize, revocations, rules } = given
  for (const [name, value] of Object.entries({ authenticate, authorize })) {
    if (value !== undefined && typeof value !== 'function') throw badOption(name, 'must be a function')
  }
  if (revocations !== undefined && !(revocations instanceof Revocations)) {
    throw badOption('revocations', 'must be an instance of Revocations')
  }
  if (authorize !== undefined && rules !== undefined) {
    throw badOption('authorize, rules', 'exclude each other: give one')
  }
  return { ...authenticate && { authenticate }, ...authorize && { authorize }, ...revocations && { revocations } }
}
