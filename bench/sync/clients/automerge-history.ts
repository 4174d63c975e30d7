import { randomBytes, randomUUID } from 'node:crypto'
import * as Automerge from '@automerge/automerge'
import bs58check from 'bs58check'
import type { HistoryOptions, SmallDocument } from '../client.ts'

const EPOCH = 1_700_000_000

/** Edit numbers; the last change of the seed is edit -1. */
export const SEED = -1

interface Fields extends Record<string, unknown> { text: string, blob?: Uint8Array }

/** A document that no client has yet. */
export const newId = (): string => bs58check.encode(Buffer.from(randomUUID().replaceAll('-', ''), 'hex'))

/** The first four bytes of a change's hash, which are in its chunk as the checksum. */
export const checksumAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

/** The edits of one document, and how to know them again by their hashes. */
export class History {
  readonly id = newId()
  readonly writers: number
  readonly seed: Uint8Array
  readonly seedHead: string
  readonly changes: Uint8Array[] = []
  readonly hashes: string[] = []
  readonly #byHash = new Map<string, number>()
  readonly #byChecksum = new Map<number, number>()

  /** @param changes by edit number, with their hashes */
  constructor (writers: number, seed: Uint8Array, seedHead: string, changes: Uint8Array[], hashes: string[]) {
    Object.assign(this, { changes, hashes })
    this.writers = writers
    this.seed = seed
    this.seedHead = seedHead
    for (const [n, hash] of [...hashes.entries(), [SEED, seedHead] as const]) {
      this.#byHash.set(hash, n)
      this.#byChecksum.set(checksumAt(Buffer.from(hash.slice(0, 8), 'hex'), 0), n)
    }
  }

  /** Whether no two edits share a checksum. */
  get isTellable (): boolean { return this.#byChecksum.size === this.changes.length + 1 }

  /** Which edit has this hash; undefined for one of the seed's, or a stranger's. */
  withHash (hash: string): number | undefined { return this.#byHash.get(hash) }

  /** One of the edits; undefined for any other hash. */
  changeOf (hash: string): Uint8Array | undefined { return this.changes[this.#byHash.get(hash) ?? SEED] }

  withChecksum (checksum: number): number | undefined { return this.#byChecksum.get(checksum) }
}

function seedOf ({ seed, document }: HistoryOptions): Automerge.Doc<Fields> {
  if (document !== undefined) return Automerge.load<Fields>(document)
  let doc = Automerge.from<Fields>({ text: '' })
  for (let n = 1; n < seed; n++) {
    doc = Automerge.change(doc, { time: EPOCH + n }, d => {
      Automerge.splice(d, ['text'], n - 1, 0, 'abcdefghij '[n % 11]!)
    })
  }
  return doc
}

/** Makes the edits. Actors are random; they are chosen again when two changes have the same checksum. */
export function automergeHistory (options: HistoryOptions): History {
  const { edits, writers, blob } = options
  const base = seedOf(options)
  for (;;) {
    const changes: Uint8Array[] = []
    const hashes: string[] = []
    for (let writer = 0; writer < Math.min(writers, edits); writer++) {
      let doc = Automerge.clone(base)
      const end = doc.text.length
      for (let n = writer, typed = 0; n < edits; n += writers, typed++) {
        doc = Automerge.change(doc, { time: EPOCH + n }, d => {
          if (blob > 0) d.blob = new Uint8Array(randomBytes(blob))
          else Automerge.splice(d, ['text'], end + typed, 0, 'x')
        })
        changes[n] = Automerge.getLastLocalChange(doc)!
        hashes[n] = Automerge.getHeads(doc)[0]!
      }
      Automerge.free(doc)
    }
    const history = new History(
      writers, options.document ?? Automerge.save(base), Automerge.getHeads(base)[0]!, changes, hashes
    )
    if (history.isTellable) return history
  }
}

/** Documents of one change each, as a client sends them to who has nothing: whole. */
export function automergeDocuments (count: number): SmallDocument[] {
  return Array.from({ length: count }, (_, n) => {
    const doc = Automerge.from({
      title: `Document ${n}`, text: 'The quick brown fox jumps over the lazy dog. ', items: [1, 2, 3], done: false
    })
    const small = {
      id: newId(),
      content: Automerge.save(doc),
      changes: Automerge.getAllChanges(doc),
      head: Automerge.getHeads(doc)[0]!
    }
    Automerge.free(doc)
    return small
  })
}
