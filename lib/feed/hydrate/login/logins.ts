import { Type, type Static } from 'typebox'
import { badOption, messageOf } from '../../../errors.ts'
import { parseJson, readText } from '../../../settings-file.ts'
import { validator, type Fault } from '../../../validate.ts'

const text = (description: string) => Type.String({ minLength: 1, description })

/** An account that calls are made as: with an app password, or with a session that is there already. */
const login = Type.Object({
  service: Type.String({ pattern: '^https?://', default: 'https://bsky.social', description: 'The account’s host' }),
  identifier: text('Handle or DID'),
  password: Type.Optional(text('App password')),
  accessJwt: Type.Optional(text('A session’s token')),
  refreshJwt: Type.Optional(text('What that is renewed with'))
}, { additionalProperties: false })

export type Login = Static<typeof login>

const inFile: Fault = (path, problem) => badOption('feed.loginFile', [path, problem].filter(Boolean).join(': '))
const validate = validator<Login[]>(Type.Array(login), inFile)

export interface GivenLogins {
  service: string
  identifier?: string | undefined
  password?: string | undefined
  loginFile?: string | undefined
}

/**
 * The accounts that calls are made as: one from options, more from a file. What is refused is not repeated.
 * @throws RelayError RELAY_BAD_OPTION
 */
export function parseLogins ({ service, identifier, password, loginFile }: GivenLogins): Login[] {
  if ((identifier === undefined) !== (password === undefined)) {
    throw badOption('feed.identifier', 'and feed.password go together')
  }
  const own: Login[] = identifier === undefined ? [] : [{ service, identifier, password: password! }]
  if (loginFile === undefined) return own
  let list
  try {
    list = parseJson(readText(loginFile))
  } catch (cause) {
    throw inFile('', messageOf(cause))
  }
  const logins = validate(list)
  for (const [n, { password, accessJwt, refreshJwt }] of logins.entries()) {
    if ((accessJwt === undefined) !== (refreshJwt === undefined)) {
      throw inFile(String(n), 'accessJwt and refreshJwt go together')
    }
    if (password === undefined && accessJwt === undefined) {
      throw inFile(String(n), 'has neither a password nor a session')
    }
  }
  return [...own, ...logins]
}
