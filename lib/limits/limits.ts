import { RelayError, type RelayErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import { Counts } from './counts.ts'
import type { LimitName, LimitsSettings } from './options.ts'
import { Refusals } from './refusals.ts'

/** Whoever asks for something. */
export interface Client {
  /** As `networkOf` gives it */
  address: string
  /** Undefined for who has not said who it is */
  principal?: string | undefined
}

/** What the log calls a source. */
export const nameOf = ({ address, principal }: Client): string => principal ?? address

/** How much everybody has at the moment, and who may have no more. */
export class Limits {
  readonly settings: LimitsSettings
  readonly refusals: Refusals
  readonly #addresses: Counts
  readonly #principals: Counts
  readonly #uploaders: Counts
  #connections = 0
  #uploads = 0

  constructor (settings: LimitsSettings, log: Log) {
    this.settings = settings
    this.refusals = new Refusals(log)
    this.#addresses = new Counts(settings.connectionsPerAddress)
    this.#principals = new Counts(settings.connectionsPerPrincipal)
    this.#uploaders = new Counts(settings.uploadsPerAddress)
  }

  /**
   * Takes on a connection, until the returned function is called, once.
   * @throws RelayError RELAY_TOO_MANY_CONNECTIONS, or RELAY_OVERLOADED when there are too many of everybody's
   */
  connect ({ address, principal }: Client): () => void {
    const { connections, connectionsPerAddress, connectionsPerPrincipal } = this.settings
    if (this.#connections >= connections) {
      throw this.met('connections', 'RELAY_OVERLOADED', `There are ${connections} connections, as many as are taken`)
    }
    if (this.#addresses.isFull(address)) {
      throw this.met(
        'connectionsPerAddress',
        'RELAY_TOO_MANY_CONNECTIONS',
        `There are ${connectionsPerAddress} connections from your address already, which is the limit`
      )
    }
    if (principal !== undefined && this.#principals.isFull(principal)) {
      throw this.met(
        'connectionsPerPrincipal',
        'RELAY_TOO_MANY_CONNECTIONS',
        `You have ${connectionsPerPrincipal} connections already, which is the limit`
      )
    }
    this.#connections++
    this.#addresses.add(address)
    if (principal !== undefined) this.#principals.add(principal)
    return () => {
      this.#connections--
      this.#addresses.remove(address)
      if (principal !== undefined) this.#principals.remove(principal)
    }
  }

  /**
   * Takes on an upload, until the returned function is called, once.
   * @throws RelayError RELAY_TOO_MANY_UPLOADS, or RELAY_OVERLOADED when there are too many of everybody's
   */
  upload ({ address }: Client): () => void {
    const { uploads, uploadsPerAddress } = this.settings
    if (this.#uploads >= uploads) {
      throw this.met('uploads', 'RELAY_OVERLOADED', `There are ${uploads} uploads at the moment, which is the limit`)
    }
    if (this.#uploaders.isFull(address)) {
      throw this.met(
        'uploadsPerAddress',
        'RELAY_TOO_MANY_UPLOADS',
        `There are ${uploadsPerAddress} uploads from your address at the moment, which is the limit`
      )
    }
    this.#uploads++
    this.#uploaders.add(address)
    return () => {
      this.#uploads--
      this.#uploaders.remove(address)
    }
  }

  close (): void { this.refusals.close() }

  /** What to refuse a request with that meets a limit; it is counted. */
  met (limit: LimitName, code: RelayErrorCode, message: string): RelayError {
    this.refusals.count(limit)
    return new RelayError(code, message)
  }
}
