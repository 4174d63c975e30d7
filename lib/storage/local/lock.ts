import { randomUUID } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { silent, type Log } from '../../log.ts'
import { makeFolder } from '../../objects/atomic-file.ts'
import { Claims, type Claim, type Owner } from './claims.ts'
import { fileSystemOf, type FileSystem } from './file-system.ts'
import { LockSocket, isListenedAt } from './lock-socket.ts'
import { isGone, ownIdentity, type ProcessIdentity } from './process-identity.ts'

/** What whoever writes into a folder asks before it writes or deletes, and again before it says that it has. */
export interface Fence {
  /** Higher than that of everyone who had the folder before. */
  readonly token: number
  /** @throws RelayError RELAY_STORAGE_LOST when the folder is another's by now, from then on always */
  check (): Promise<void>
}

export interface FolderLockOptions {
  log?: Log
  /** ms between the signs of life of an owner of whom nothing else can be seen from everywhere */
  beatInterval?: number
  /** ms without one until such an owner counts as gone */
  patience?: number
  /** Found out by default. */
  fileSystem?: FileSystem
}

const BEAT_INTERVAL = 3_000
const PATIENCE = 15_000 // ms
const POLL_INTERVAL = 250 // ms
const TRIES = 5 // to claim a folder whose owners come and go

/**
 * Makes a folder one process's at a time, whatever PID namespace, machine or clock the others have.
 *
 * Whose it is, says the claim with the highest number in `<folder>/lock.d`. Whether its owner lives, says a Unix socket
 * beside it, which the kernel closes with the process: so a folder on a local file system is free at once after a kill,
 * and not before. Where other machines may use the folder too, or there can be no socket, an owner also writes signs of
 * life, and who comes watches for them; there an owner may lose the folder while it stands still, and finds out by its
 * `check`.
 */
export class FolderLock implements Fence {
  readonly #folder: string
  readonly #claims: Claims
  readonly #log: Log
  readonly #beatInterval: number
  readonly #patience: number
  #fileSystem: FileSystem | undefined
  #self: ProcessIdentity | undefined
  #socket: LockSocket | undefined
  #claim: Claim | undefined
  #beat: NodeJS.Timeout | undefined
  #loss: RelayError | undefined
  #tellLoss: (loss: RelayError) => void = () => {}

  /** Resolves when the folder is found to be another's. */
  readonly lost: Promise<RelayError>

  constructor (folder: string, options: FolderLockOptions = {}) {
    const { log = silent, beatInterval = BEAT_INTERVAL, patience = PATIENCE, fileSystem } = options
    this.#folder = path.resolve(folder)
    this.#claims = new Claims(path.join(this.#folder, 'lock.d'))
    this.#log = log
    this.#beatInterval = beatInterval
    this.#patience = patience
    this.#fileSystem = fileSystem
    this.lost = new Promise(resolve => { this.#tellLoss = resolve })
  }

  /** 0 before it was taken. */
  get token (): number { return this.#claim?.token ?? 0 }

  /** Makes the folder. @throws RelayError RELAY_STORAGE_FAILED with its path: in use, or not writable */
  async take (): Promise<void> {
    try {
      await makeFolder(this.#folder)
      this.#self = await ownIdentity()
      await this.#replaceOldFormat()
      await makeFolder(this.#claims.folder)
      this.#fileSystem ??= await fileSystemOf(this.#folder)
      this.#socket = await LockSocket.listen(this.#claims.folder)
      this.#claim = await this.#makeClaim()
    } catch (error) {
      await this.#socket?.close()
      this.#socket = undefined
      throw error instanceof RelayError ? error : this.#failed(messageOf(error), error)
    }
    if (!this.#isSeenBySocket) this.#beginBeats()
  }

  /** Gives the folder up, unless it is another's by now. */
  async release (): Promise<void> {
    const claim = this.#claim
    if (claim === undefined) return
    this.#claim = undefined
    clearInterval(this.#beat)
    if (claim.isInPlace()) await this.#claims.release(claim.token)
    await claim.close()
    await this.#socket?.close()
  }

  async check (): Promise<void> {
    if (this.#loss !== undefined) throw this.#loss
    const claim = this.#claim
    if (claim === undefined) throw this.#failed('not taken, or given up')
    if (this.#fileSystem!.isLocal ? claim.isInPlace() : await claim.isInPlaceForAll()) return
    const problem = 'another relay has taken it, or its lock was deleted; nothing more is written'
    this.#loss ??= new RelayError('RELAY_STORAGE_LOST', `storage ${this.#folder}: ${problem}`)
    this.#tellLoss(this.#loss)
    throw this.#loss
  }

  /** Whether everyone who can use the folder can see by the socket that its owner lives. */
  get #isSeenBySocket (): boolean { return this.#fileSystem!.isLocal && this.#socket !== undefined }

  async #makeClaim (): Promise<Claim> {
    const self = { ...this.#self!, id: randomUUID(), socket: this.#socket?.name, beats: !this.#isSeenBySocket }
    for (let tries = 0; tries < TRIES; tries++) {
      const last = (await this.#claims.list()).at(-1)
      if (last !== undefined && !last.isReleased) await this.#outlive(last.token)
      const claim = await this.#claims.make((last?.token ?? 0) + 1, self)
      if (claim === undefined) continue // somebody was faster, and is looked at now
      if (await this.#isMine(claim)) {
        await this.#claims.removeOthers(claim.token, self.socket)
        return claim
      }
      await this.#claims.remove(claim.token)
      await claim.close()
    }
    throw this.#inUse('processes that come and go')
  }

  /** False when the claim was made after a look at an old list, by a process that stood still in between. */
  async #isMine ({ token }: Claim): Promise<boolean> {
    const found = await this.#claims.list()
    const isHighest = found.every(other => other.token < token || (other.token === token && !other.isReleased))
    // who had the folder in between has cleared away what it found
    return isHighest && (this.#socket === undefined || await isListenedAt(this.#claims.folder, this.#socket.name))
  }

  /** Resolves when whoever made a claim is gone or has given up. @throws RelayError RELAY_STORAGE_FAILED when not */
  async #outlive (token: number): Promise<void> {
    const found = await this.#claims.read(token)
    if (found === undefined) return
    const { owner } = found
    const isHeard = owner?.socket !== undefined && await isListenedAt(this.#claims.folder, owner.socket)
    if (isHeard) throw this.#inUse(this.#nameOf(owner))
    if (owner !== null && await isGone(owner)) return
    if (owner === null || owner.beats) await this.#watch(token, found.text, owner)
    else if (!this.#fileSystem!.isLocal) {
      const who = this.#nameOf(owner)
      throw this.#inUse(`${who}, which cannot be seen from here; if it is gone, delete ${this.#claims.folder}`)
    }
  }

  async #watch (token: number, text: string, owner: Owner | null): Promise<void> {
    const who = owner === null ? 'a process that just started' : this.#nameOf(owner)
    const wait = `waiting ${this.#patience / 1000} s for a sign of life`
    this.#log.warn({ folder: this.#folder, owner }, `${wait}: ${who} had the storage`)
    for (const end = performance.now() + this.#patience; performance.now() < end;) {
      await sleep(POLL_INTERVAL)
      const now = await this.#claims.read(token)
      if (now === undefined) return
      if (now.text !== text) throw this.#inUse(now.owner === null ? who : this.#nameOf(now.owner))
    }
  }

  #beginBeats (): void {
    const { name } = this.#fileSystem!
    this.#log.warn({ folder: this.#folder, fileSystem: name }, `the storage is on ${name}, where other machines see ` +
      'only signs of ' +
      `life: after a kill, a relay in another container or on another machine waits ${this.#patience / 1000} s`)
    const failed = (error: unknown): void => {
      this.#log.error({ err: error }, `no sign of life can be given: ${messageOf(error)}`)
    }
    this.#beat = setInterval(() => { this.#claim?.write().catch(failed) }, this.#beatInterval)
    this.#beat.unref()
  }

  /** A file `lock` was all there was once, with the process id and the start of who used the folder. */
  async #replaceOldFormat (): Promise<void> {
    const file = path.join(this.#folder, 'lock')
    const text = await readFile(file, 'utf8').catch(error => {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return
    const self = this.#self!
    const [pid, started = '-', boot = self.boot] = text.trim().split(/[ @]/)
    const owner = { ...self, pid: Number(pid), started }
    if (owner.pid !== self.pid && boot === self.boot && !await isGone(owner)) throw this.#inUse(`process ${owner.pid}`)
    await rm(file)
  }

  #inUse (by: string): RelayError {
    return this.#failed(`in use by ${by}, says ${this.#claims.folder}`)
  }

  #failed (problem: string, cause?: unknown): RelayError {
    return new RelayError('RELAY_STORAGE_FAILED', `storage ${this.#folder}: ${problem}`, { cause })
  }

  #nameOf ({ pid, boot, namespace, host }: Owner): string {
    const self = this.#self!
    if (boot !== self.boot || namespace !== self.namespace) return `process ${pid} of ${host}`
    return pid === self.pid ? 'another relay of this process' : `process ${pid}`
  }
}
