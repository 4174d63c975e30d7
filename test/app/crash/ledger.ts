import * as Automerge from '@automerge/automerge'
import type { DocumentId } from '../../../lib/ids.ts'
import type { Fields } from './light-peer.ts'

type Doc = Automerge.Doc<Fields>

/** What a comparison found, in changes. */
export interface Comparison { acknowledged: number, lost: number }

/** Which changes the relay has promised to keep: those it said it has, and those it passed on. */
export class Ledger {
  readonly #heads = new Map<DocumentId, Set<string>>()

  /** The documents that something was promised of. */
  get documents (): DocumentId[] { return [...this.#heads.keys()] }

  /** The relay says that these are its heads: they and all before them. */
  readonly promised = (id: DocumentId, heads: Automerge.Heads): void => {
    let known = this.#heads.get(id)
    if (known === undefined) this.#heads.set(id, known = new Set())
    for (const hash of heads) known.add(hash)
  }

  /**
   * Compares what is there after a crash with what was promised before.
   * @param replicas of those who wrote, with what they have
   */
  compare (id: DocumentId, found: Doc, replicas: Array<{ actor: string, doc: Doc }>): Comparison {
    const dependencies = new Map<string, string[]>()
    const there = new Set<string>()
    const promised = [...this.#heads.get(id) ?? []]
    for (const { hash, deps } of changesOf(found)) {
      dependencies.set(hash, deps)
      there.add(hash)
    }
    for (const { actor, doc } of replicas) {
      for (const change of changesOf(doc)) {
        dependencies.set(change.hash, change.deps)
        if (change.actor !== actor) promised.push(change.hash) // passed on by the relay
      }
    }
    const all = new Set<string>()
    for (let hash = promised.pop(); hash !== undefined; hash = promised.pop()) {
      if (all.has(hash)) continue
      all.add(hash)
      promised.push(...dependencies.get(hash) ?? [])
    }
    return { acknowledged: all.size, lost: [...all].filter(hash => !there.has(hash)).length }
  }
}

const changesOf = (doc: Doc): Array<{ hash: string, actor: string, deps: string[] }> =>
  Automerge.getChangesMetaSince(doc, [])
