import { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Grant, Granted, Rights } from '../sync/peers/grant.ts'
import type { Action } from './action.ts'
import { readsRelayFrames, type Credentials } from './identity/credentials.ts'
import type { Principal } from './identity/principal.ts'

/** What a session asks of the access control it belongs to. */
export interface SessionParts {
  authenticate (credentials: Credentials): Promise<Principal>
  allows (principal: Principal, action: Action, id: DocumentId): boolean | Promise<boolean>
  denied (): void
  /** What somebody may do with a document could not be found out. */
  failed (principal: Principal, id: DocumentId, cause: unknown): void
  opened (session: Session): void
  closed (session: Session): void
}

const MAX_REMEMBERED = 10_000 // documents
const DOUBTFUL = 1_000 // ms that less than everything is remembered: a document may become part of a bundle
const PATIENCE = 30_000 // ms for whoever is asked what somebody may do
const LOOK = 30_000 // ms at most between looks at the clock: timers do not see it being set, nor a machine asleep

/** Who is behind a live connection: what it may do, and until when. */
export class Session implements Grant {
  readonly #parts: SessionParts
  readonly #credentials: Credentials
  readonly #rights = new Map<DocumentId, { rights: Rights | Promise<Rights>, until: number }>()
  #principal: Principal
  #connection: Granted | undefined
  #timer: NodeJS.Timeout | undefined

  constructor (parts: SessionParts, credentials: Credentials, principal: Principal) {
    this.#parts = parts
    this.#credentials = credentials
    this.#principal = principal
  }

  get readsNotices (): boolean { return readsRelayFrames(this.#credentials.headers) }

  get expires (): number | undefined { return this.#principal.expires }

  get principal (): Principal { return this.#principal }

  attach (connection: Granted): void {
    this.#connection = connection
    this.#parts.opened(this)
    this.#watchExpiry()
  }

  detach (): void {
    this.#connection = undefined
    clearTimeout(this.#timer)
    this.#parts.closed(this)
  }

  rights (id: DocumentId): Rights | Promise<Rights> {
    const known = this.#rights.get(id)
    if (known !== undefined && (known.until === Infinity || known.until > performance.now())) return known.rights
    const rights = this.#ask(id)
    this.#remember(id, rights)
    return rights
  }

  async renew (token: string): Promise<void> {
    const principal = await this.#parts.authenticate({ ...this.#credentials, token })
    if (principal.id !== this.#principal.id) {
      throw new RelayError('RELAY_ACCESS_DENIED', 'The token belongs to somebody else')
    }
    this.#principal = principal
    if (this.#connection === undefined) return
    this.#watchExpiry()
    this.refresh()
  }

  denied (): void { this.#parts.denied() }

  /** What it may do is to be asked anew. */
  refresh (): void {
    this.#rights.clear()
    this.#connection?.reassess()
  }

  end (error: RelayError): void { this.#connection?.refuse(error) }

  #watchExpiry (): void {
    clearTimeout(this.#timer)
    const { expires } = this.#principal
    if (expires === undefined) return
    const left = expires - Date.now()
    if (left <= 0) {
      this.end(new RelayError('RELAY_TOKEN_EXPIRED', 'The token has expired'))
      return
    }
    this.#timer = setTimeout(() => { this.#watchExpiry() }, Math.min(left, LOOK)).unref()
  }

  #ask (id: DocumentId): Rights | Promise<Rights> {
    const principal = this.#principal
    const ask = (action: Action): boolean | Promise<boolean> => {
      try {
        return this.#parts.allows(principal, action, id)
      } catch (error) {
        return Promise.reject(error)
      }
    }
    const answers = [ask('document:read'), ask('document:write'), ask('document:create')]
    if (answers.every(answer => typeof answer === 'boolean')) return rightsOf(answers)
    return inTime(Promise.all(answers)).then(rightsOf).catch((cause: unknown) => {
      this.#parts.failed(principal, id, cause)
      throw cause
    })
  }

  #remember (id: DocumentId, rights: Rights | Promise<Rights>): void {
    if (this.#rights.size >= MAX_REMEMBERED) this.#rights.clear()
    if (rights instanceof Promise) {
      this.#rights.set(id, { rights, until: Infinity })
      rights.then(
        settled => { if (this.#rights.get(id)?.rights === rights) this.#remember(id, settled) },
        () => { this.#rights.delete(id) }) // who asked is told
    } else {
      this.#rights.set(id, {
        rights, until: rights.read && rights.write && rights.create ? Infinity : performance.now() + DOUBTFUL
      })
    }
  }
}

/** Rejects what takes too long: messages wait for it. */
async function inTime<T> (answer: Promise<T>): Promise<T> {
  let late: NodeJS.Timeout | undefined
  const isLate = new Promise<never>((_resolve, reject) => {
    late = setTimeout(() => { reject(new Error(`no answer after ${PATIENCE / 1000} s`)) }, PATIENCE).unref()
  })
  return await Promise.race([answer, isLate]).finally(() => { clearTimeout(late) })
}

/** What cannot be read can be neither written nor made. Only `true` allows: a host's function may answer anything. */
const rightsOf = ([read, write, create]: boolean[]): Rights =>
  ({ read: read === true, write: read === true && write === true, create: read === true && create === true })
