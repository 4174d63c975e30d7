import { RelayError, messageOf, type RelayErrorCode } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { Action } from './action.ts'
import type { Authorize } from './authorize.ts'
import type { Authenticator } from './identity/authenticator.ts'
import type { Credentials } from './identity/credentials.ts'
import { whyNoPrincipalId } from './identity/principal-id.ts'
import { ANONYMOUS, type Principal } from './identity/principal.ts'
import { Revocations, type RevocationEvent } from './revocations.ts'
import { DEFAULT_RULES, type Rule } from './rule.ts'
import { isForAnonymous, permits } from './rules.ts'
import { Session, type SessionParts } from './session.ts'

const QUIET = 60_000 // ms between two lines about the same

export interface AccessParts {
  /** Asked in turn; with none, everybody is anonymous. */
  authenticators: readonly Authenticator[]
  /** A host's own; else the rules */
  authorize?: Authorize | undefined
  /** As they are now; undefined when nobody has said any */
  rules (): readonly Rule[] | undefined
  /** Whether a document is part of a bundle. */
  holds (bundle: DocumentId, document: DocumentId): Promise<boolean>
  revocations?: Revocations | undefined
  refused (code: RelayErrorCode): void
  log: Log
}

/** A bundle that is to be stored, and the one it would replace. */
export interface Upload {
  id: DocumentId
  documents: readonly DocumentId[]
  replaces: { readonly owner?: string | undefined } | null
}

/**
 * Who may do what: asked by the routes for each request, and by the sync engine through a session for each connection.
 */
export class Access {
  /** Everybody may do everything: nothing has been said about access. */
  readonly isOpen: boolean
  readonly #parts: AccessParts
  readonly #revocations: Revocations
  readonly #sessions = new Set<Session>()
  readonly #sessionParts: SessionParts
  readonly #stop: () => void
  #toldAt = -Infinity

  constructor (parts: AccessParts) {
    this.#parts = parts
    this.isOpen = parts.authenticators.length === 0 && parts.authorize === undefined && parts.rules() === undefined
    this.#revocations = parts.revocations ?? new Revocations()
    this.#stop = this.#revocations.onEvent(event => { this.#heed(event) })
    this.#sessionParts = {
      authenticate: credentials => this.authenticate(credentials),
      allows: (principal, action, id) => this.allows(principal, action, id),
      denied: () => { this.refused('RELAY_ACCESS_DENIED') },
      failed: (principal, id, cause) => { this.#failed(principal, id, cause) },
      opened: session => { this.#sessions.add(session) },
      closed: session => { this.#sessions.delete(session) }
    }
  }

  /**
   * Who it is.
   * @throws RelayError RELAY_UNAUTHENTICATED, RELAY_TOKEN_EXPIRED, RELAY_ACCESS_REVOKED or RELAY_KEYS_UNAVAILABLE
   */
  async authenticate (credentials: Credentials): Promise<Principal> {
    return this.admit(await this.identify(credentials))
  }

  /** Lets somebody in. @throws RelayError RELAY_TOKEN_EXPIRED or RELAY_ACCESS_REVOKED */
  admit (principal: Principal): Principal {
    if (this.#revocations.has(principal.id)) throw new RelayError('RELAY_ACCESS_REVOKED', 'Access has been revoked')
    if (principal.expires !== undefined && principal.expires <= Date.now()) {
      throw new RelayError('RELAY_TOKEN_EXPIRED', 'The token has expired')
    }
    return principal
  }

  /**
   * Whether it may; without an id, whether it may with any. At once where that is known. Where nothing has been said
   * about access nobody deletes documents.
   */
  allows (principal: Principal, action: Action, id?: DocumentId): boolean | Promise<boolean> {
    if (this.isOpen) return action !== 'document:delete'
    const { authorize, holds } = this.#parts
    const resource = { id, isIn: async (bundle: DocumentId) => id !== undefined && await holds(bundle, id) }
    if (authorize !== undefined) return authorize(principal, action, resource)
    const rules = [
      ...this.#parts.rules() ?? (principal.rules === undefined ? DEFAULT_RULES : []), ...principal.rules ?? []
    ]
    return permits(rules, principal, action, resource)
  }

  /** @throws RelayError RELAY_ACCESS_DENIED, which is counted */
  async require (principal: Principal, action: Action, id?: DocumentId): Promise<void> {
    if (await this.allows(principal, action, id) !== true) throw this.#denial(`Not allowed: ${action}`)
  }

  /**
   * Whether somebody may store a bundle: it is new, or its owner's, or an administrator's to replace; what it brings
   * into documents that are there already must be allowed, too.
   * @param hasDocument whether a document is there
   * @throws RelayError RELAY_ACCESS_DENIED
   */
  async requireUpload (
    principal: Principal, upload: Upload, hasDocument: (id: DocumentId) => Promise<boolean>
  ): Promise<void> {
    if (this.isOpen) return
    const { id, documents, replaces } = upload
    await this.require(principal, replaces === null ? 'bundle:create' : 'bundle:replace', id)
    if (replaces !== null) await this.requireOwn(principal, replaces.owner)
    for (const document of documents) {
      if (await hasDocument(document)) await this.require(principal, 'document:write', document)
    }
  }

  /**
   * Whether a bundle is somebody's own to replace or delete; where everybody may do everything it is nobody's.
   * @throws RelayError RELAY_ACCESS_DENIED
   */
  async requireOwn (principal: Principal, owner: string | undefined): Promise<void> {
    const isOwn = owner !== undefined && owner === principal.id
    if (!isOwn && (this.isOpen || await this.allows(principal, 'administer') !== true)) {
      throw this.#denial('The bundle is not yours')
    }
  }

  /** What a connection is given; nothing when everybody may do everything. */
  session (credentials: Credentials, principal: Principal): Session | undefined {
    return this.isOpen ? undefined : new Session(this.#sessionParts, credentials, principal)
  }

  /** Closes a principal's connections and refuses it from now on. */
  revoke (id: string): void { this.#revocations.revoke(id) }

  /** The rules have changed, or what a principal may do. */
  refresh (id?: string): void { this.#heed({ type: 'changed', id }) }

  /** Counts a refusal. */
  refused (code: RelayErrorCode): void { this.#parts.refused(code) }

  close (): void {
    this.#stop()
    for (const authenticator of this.#parts.authenticators) authenticator.close?.()
  }

  /** Told once a minute: it is seldom about one document. */
  #failed ({ id: principal }: Principal, documentId: DocumentId, cause: unknown): void {
    this.refused('RELAY_INTERNAL')
    const now = performance.now()
    if (now - this.#toldAt < QUIET) return
    this.#toldAt = now
    this.#parts.log.error(
      { principal, documentId, err: cause },
      `a document is withheld, as what somebody may do with it cannot be found out: ${messageOf(cause)}`
    )
  }

  #denial (message: string): RelayError {
    this.refused('RELAY_ACCESS_DENIED')
    return new RelayError('RELAY_ACCESS_DENIED', message)
  }

  /**
   * Who it is, let in or not.
   * @throws RelayError RELAY_UNAUTHENTICATED, RELAY_TOKEN_EXPIRED or RELAY_KEYS_UNAVAILABLE
   */
  async identify (credentials: Credentials): Promise<Principal> {
    const { authenticators, rules } = this.#parts
    if (authenticators.length === 0) return ANONYMOUS
    for (const { authenticate } of authenticators) {
      const principal = await authenticate(credentials)
      if (principal === null) continue
      const problem = principal === ANONYMOUS ? undefined : whyNoPrincipalId(principal?.id)
      if (problem !== undefined) throw new TypeError(`a principal without a proper id: ${problem}`)
      return principal
    }
    const { token } = credentials
    if (token === undefined && isForAnonymous(rules() ?? [])) return ANONYMOUS
    throw new RelayError(
      'RELAY_UNAUTHENTICATED', token === undefined ? 'A token is needed' : 'The token is not accepted'
    )
  }

  #heed (event: RevocationEvent): void {
    for (const session of [...this.#sessions]) {
      if (event.id !== undefined && session.principal.id !== event.id) continue
      if (event.type === 'changed') session.refresh()
      else session.end(new RelayError('RELAY_ACCESS_REVOKED', 'Access has been revoked'))
    }
  }
}
