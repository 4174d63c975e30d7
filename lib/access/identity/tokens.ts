import { createHash, timingSafeEqual } from 'node:crypto'
import { RelayError } from '../../errors.ts'
import type { Authenticator } from './authenticator.ts'
import type { Credentials } from './credentials.ts'
import { typedId, whyNoPrincipalId } from './principal-id.ts'
import type { Principal } from './principal.ts'

interface FixedToken { hash: Buffer, principal: Principal }

/**
 * Fixed tokens, of which only the SHA-256 is known. That is enough for tokens made at random; a password would be
 * found.
 * @see docs/access.md
 */
export class Tokens implements Authenticator {
  readonly #entries: FixedToken[]

  /** @param text `<principal>:<SHA-256 of its token in hex>`, comma-separated. @throws RelayError RELAY_BAD_OPTION */
  constructor (text: string) {
    this.#entries = text.split(',').map(entry => entry.trim()).filter(entry => entry !== '').map(readEntry)
    if (this.#entries.length === 0) throw badTokens('there is none')
  }

  /** In a time that does not depend on the tokens: each of the hashes is compared, and all of it. */
  readonly authenticate = ({ token }: Credentials): Principal | null => {
    if (token === undefined) return null
    const hash = createHash('sha256').update(token).digest()
    let found: Principal | null = null
    for (const entry of this.#entries) if (timingSafeEqual(entry.hash, hash)) found = entry.principal
    return found
  }
}

function readEntry (entry: string): FixedToken {
  const [, id, hash] = /^(.+):([0-9a-f]{64})$/i.exec(entry) ?? []
  // what does not fit may be a token: it is not repeated
  if (hash === undefined) throw badTokens('each must be <principal>:<SHA-256 of its token in hex>')
  const principal = { id: typedId(id!) }
  const problem = whyNoPrincipalId(principal.id)
  if (problem !== undefined) throw badTokens(`nobody can be called ${JSON.stringify(id)}: ${problem}`)
  return { hash: Buffer.from(hash, 'hex'), principal }
}

const badTokens = (problem: string): RelayError => new RelayError('RELAY_BAD_OPTION', `option tokens: ${problem}`)
