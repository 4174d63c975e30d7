import type { Change, ChangeHeader } from '../../automerge/format/change.ts'
import type { Hash } from '../../automerge/format/hash.ts'
import type { StoredDocument } from '../../automerge/checks/document.ts'
import type { Operations } from '../../automerge/format/operations.ts'
import { References } from '../../automerge/checks/references.ts'
import { RelayError } from '../../errors.ts'

/** A change that came in lately. `from` is who brought it, so that it is not sent back there. */
export interface LogEntry {
  readonly hash: Hash
  readonly deps: Hash[]
  readonly actor: string
  readonly startOp: number
  readonly bytes: Uint8Array
  readonly from: object | undefined
}

/** A change that is known by its hash: the version it made, and its last operation. */
interface Known { version: number, maxOp: number }

const MAX_LOG = 4_096 // changes
const MAX_LOG_BYTES = 512 * 1024
const MAX_KNOWN = 8_192 // hashes
/**
 * Operations and counters left out between them beyond which none may be left out: Automerge takes 72 bytes for each.
 */
const MAX_ROOM = 2 ** 24

/** What is known of a document when it is opened; of one that only Automerge can read, its heads. */
export type OpenedDocument = Pick<StoredDocument, 'heads'> & Partial<StoredDocument>

const poison = (problem: string): RelayError =>
  new RelayError('RELAY_SYNC_INVALID', `a change cannot be applied: ${problem}`)

/**
 * What the relay knows of a document without opening it: its heads, how far each actor has come, what its operations
 * may refer to, and the latest changes (the log). The n-th change since it was opened makes version n. What lies before
 * the log is known by its heads only, so that about an old change the answer can be "unclear": Automerge has to be
 * asked. Of a document that only Automerge can read nothing else is known, and every change is.
 */
export class History {
  readonly #heads: Set<Hash>
  #sorted: Hash[] | undefined
  readonly #seqs: Map<string, number>
  /** None of a document that only Automerge can read. */
  readonly #references: References | undefined
  #maxOp: number
  #room: number
  #size: number
  #count: number | undefined
  /** Oldest first. */
  readonly #known = new Map<Hash, Known>()
  #log: LogEntry[] = []
  #logBytes = 0
  /** The version before the log's first change, and the heads it had. */
  #base = 0
  readonly #baseHeads: Set<Hash>

  /**
   * @param opened nothing for a document that is not there
   * @param size bytes of what is stored of it
   */
  constructor (opened?: OpenedDocument, size = 0) {
    const { heads, headOps = [], seqs = new Map(), maxOp = 0, room = 0, references } = opened ?? { heads: [] }
    this.#heads = new Set(heads)
    this.#baseHeads = new Set(heads)
    this.#seqs = new Map(seqs)
    this.#maxOp = maxOp
    this.#room = room
    this.#size = size
    this.#count = opened?.changeCount ?? (opened === undefined ? 0 : undefined)
    this.#references = opened !== undefined && references === undefined ? undefined : new References(references)
    heads.forEach((hash, n) => { this.#known.set(hash, { version: 0, maxOp: headOps[n] ?? 0 }) })
  }

  /** Whether only Automerge can read it. */
  get isOpaque (): boolean { return this.#references === undefined }

  get version (): number { return this.#base + this.#log.length }

  /** How many changes it is made of; unknown of a document that only Automerge can read. */
  get changes (): number | undefined { return this.#count }

  /** Bytes of what was stored of it when it was opened, and of the changes since, as inflated. */
  get size (): number { return this.#size }

  /** The version before the oldest change that is still at hand. */
  get base (): number { return this.#base }

  /** Bytes of the changes that are at hand. */
  get bytes (): number { return this.#logBytes }

  get isEmpty (): boolean { return this.#heads.size === 0 }

  /** Whether there is something of it that nobody can read. */
  get isDamaged (): boolean { return this.isEmpty && this.isOpaque }

  /** Sorted; a new array after each change. */
  get heads (): Hash[] {
    this.#sorted ??= [...this.#heads].sort()
    return this.#sorted
  }

  /** Whether it is known by hash; one that is not may still be part of the document. */
  knows (hash: Hash): boolean { return this.#known.has(hash) }

  hasHeads (heads: Hash[]): boolean {
    return heads.length === this.#heads.size && heads.every(hash => this.#heads.has(hash))
  }

  /** Whether it is part of the document for sure. */
  includes ({ hash, actor, seq }: ChangeHeader): boolean {
    return this.#known.has(hash) || seq <= (this.#seqs.get(actor) ?? 0)
  }

  /**
   * Whether a change comes next (`new`), is `known` already, or neither (`unclear`: what it depends on is missing or
   * old).
   * @throws RelayError RELAY_SYNC_INVALID when its operations are not counted as they must be
   */
  place (change: ChangeHeader): 'new' | 'known' | 'unclear' {
    const { hash, deps, actor, seq, startOp, opCount } = change
    if (this.#known.has(hash)) return 'known'
    if (this.isOpaque || seq !== (this.#seqs.get(actor) ?? 0) + 1) return 'unclear'
    const last = this.#lastOf(deps)
    if (last === undefined) return 'unclear'
    if (startOp <= last || (opCount === 0 && startOp !== last + 1)) {
      throw poison('its operations are not counted on from those it depends on')
    }
    if (startOp > last + 1 && this.#room + startOp + opCount - 1 - last > MAX_ROOM) {
      throw poison('its operations are counted from nowhere')
    }
    return 'new'
  }

  /**
   * Refuses a change whose operations are counted from so far ahead that soon nobody could count on from them.
   * @throws RelayError RELAY_SYNC_INVALID
   */
  refuseAbsurd ({ startOp }: ChangeHeader): void {
    if (startOp > this.#maxOp + MAX_ROOM) throw poison('its operations are counted from nowhere')
  }

  /**
   * Checks that what a new change refers to is there.
   * @throws RelayError RELAY_DOCUMENT_INVALID
   */
  check (change: Change, operations: Operations): void {
    this.#references?.check(change, operations, this.hasHeads(change.deps) ? [] : this.#lacking(change.deps).entries)
  }

  /**
   * Adds a change that is new and has been checked, or that Automerge has applied.
   * @param operations of a document that only Automerge can read, undefined
   * @param bytes its chunk; kept
   * @throws RelayError RELAY_DOCUMENT_INVALID when it refers to what is not there, and nothing is added
   */
  add (change: Change, operations: Operations | undefined, bytes: Uint8Array, from?: object): void {
    const { hash, deps, actor, seq, startOp, opCount } = change
    if (operations !== undefined) this.#references?.add(change, operations)
    const maxOp = startOp + opCount - 1
    this.#room += maxOp - (this.#lastOf(deps) ?? startOp - 1)
    for (const dep of deps) this.#heads.delete(dep)
    this.#heads.add(hash)
    this.#sorted = undefined
    this.#log.push({ hash, deps, actor, startOp, bytes, from })
    this.#logBytes += bytes.length
    this.#size += change.byteLength
    if (this.#count !== undefined) this.#count++
    this.#known.set(hash, { version: this.version, maxOp })
    this.#maxOp = Math.max(this.#maxOp, maxOp)
    this.#seqs.set(actor, Math.max(seq, this.#seqs.get(actor) ?? 0))
  }

  /** The changes after a version, up to another; undefined when they are not at hand any more. */
  between (after: number, upTo = this.version): LogEntry[] | undefined {
    return after < this.#base ? undefined : this.#log.slice(after - this.#base, upTo - this.#base)
  }

  /**
   * The changes that a peer with these heads does not have; undefined when that cannot be told.
   * @param heads all of them known
   * @param upTo the version that it is to have
   */
  missing (heads: Hash[], upTo = this.version): LogEntry[] | undefined {
    const { entries, isAll } = this.#lacking(heads, upTo)
    return isAll ? entries : undefined
  }

  /**
   * Forgets the oldest changes beyond what is kept at hand.
   * @param keep the version after which nothing is forgotten
   */
  trim (keep: number): void {
    if (this.#log.length <= MAX_LOG && this.#logBytes <= MAX_LOG_BYTES) return
    let count = 0
    // down to half, so that not every change costs a copy of the log
    while (this.#base + count < keep &&
        (this.#log.length - count > MAX_LOG / 2 || this.#logBytes > MAX_LOG_BYTES / 2)) {
      const { hash, deps, bytes } = this.#log[count++]!
      this.#logBytes -= bytes.length
      for (const dep of deps) this.#baseHeads.delete(dep)
      this.#baseHeads.add(hash)
    }
    this.#log = this.#log.slice(count)
    this.#base += count
    for (const hash of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN) break
      if (!this.#heads.has(hash)) this.#known.delete(hash)
    }
  }

  /** The last operation of all that is known by these hashes, 0 of none; undefined when one is not known. */
  #lastOf (hashes: Hash[]): number | undefined {
    let last = 0
    for (const hash of hashes) {
      const known = this.#known.get(hash)
      if (known === undefined) return undefined
      if (known.maxOp > last) last = known.maxOp
    }
    return last
  }

  /** The logged changes that these do not depend on; `isAll`: what is before the log, they do. */
  #lacking (heads: Hash[], upTo = this.version): { entries: LogEntry[], isAll: boolean } {
    const marks = new Uint8Array(this.#log.length) // of what they depend on
    const bases = new Set<Hash>()
    const mark = (hash: Hash): void => {
      const version = this.#known.get(hash)?.version ?? 0
      if (version > this.#base) marks[version - this.#base - 1] = 1
      else bases.add(hash)
    }
    heads.forEach(mark)
    const entries: LogEntry[] = []
    for (let n = this.#log.length - 1; n >= 0; n--) {
      const entry = this.#log[n]!
      if (marks[n] === 1) entry.deps.forEach(mark)
      else if (this.#base + n < upTo) entries.push(entry)
    }
    let isAll = true
    for (const hash of this.#baseHeads) isAll &&= bases.has(hash)
    return { entries: entries.reverse(), isAll }
  }
}
