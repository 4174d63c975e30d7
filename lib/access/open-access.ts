import type { RelayErrorCode } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import { parseJson } from '../settings-file.ts'
import { Access } from './access.ts'
import type { Authenticator } from './identity/authenticator.ts'
import type { JwtOptions } from './identity/jwt.ts'
import type { AccessOptions } from './options.ts'
import type { Principal } from './identity/principal.ts'
import { readRules } from './rule.ts'
import { Tokens } from './identity/tokens.ts'
import { WatchedFile } from './watched-file.ts'

export interface AccessSettings extends AccessOptions, Omit<JwtOptions, 'jwtKeys'> {
  tokens?: string | undefined
  jwtKeys?: string | undefined
  rules?: string | undefined
}

export interface AccessSurroundings {
  log: Log
  refused (code: RelayErrorCode): void
  holds (bundle: DocumentId, document: DocumentId): Promise<boolean>
}

/** The access control that the options ask for. @throws RelayError RELAY_BAD_OPTION */
export async function openAccess (
  settings: AccessSettings, { log, refused, holds }: AccessSurroundings
): Promise<{ access: Access, close: () => void }> {
  const { authenticate, authorize, revocations, tokens, jwtKeys, rules } = settings
  const authenticators: Authenticator[] = []
  if (authenticate !== undefined) {
    authenticators.push({ authenticate: async credentials => withRules(await authenticate(credentials)) })
  }
  if (tokens !== undefined) authenticators.push(new Tokens(tokens))
  if (jwtKeys !== undefined) {
    const { Jwt } = await import('./identity/jwt.ts') // with a library that nobody else needs to wait for
    authenticators.push(new Jwt({ ...settings, jwtKeys }, log))
  }
  const file = rules === undefined
    ? undefined
    : new WatchedFile({
      option: 'rules',
      file: rules,
      parse: text => readRules(parseJson(text)),
      changed: () => {
        access.refresh()
      },
      log
    })
  const access = new Access({ authenticators, authorize, revocations, rules: () => file?.value, holds, refused, log })
  const close = (): void => {
    file?.close()
    access.close()
  }
  return { access, close }
}

/** A rule with a misspelt member would be about everything. @throws TypeError */
const withRules = (principal: Principal | null): Principal | null =>
  principal?.rules ? { ...principal, rules: readRules({ rules: principal.rules }) } : principal
