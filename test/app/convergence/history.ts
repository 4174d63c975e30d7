import * as Automerge from '@automerge/automerge'
import type { DocumentId } from '../../../lib/ids.ts'
import type { Sample } from './edits.ts'

interface Change { bytes: Uint8Array, deps: string[] }

interface Past {
  made: Map<string, Change>
  /** Made by a client that lost its storage before the relay had said that it has them: they may be gone. */
  excused: Set<string>
  /** Passed on by the relay to a client that lost its storage: they may not. */
  promised: Set<string>
}

/** Every change that any client ever made, and which of them must be there at the end. */
export class History {
  readonly #documents = new Map<DocumentId, Past>()

  get documents (): DocumentId[] { return [...this.#documents.keys()] }

  get size (): number { return [...this.#documents.values()].reduce((sum, { made }) => sum + made.size, 0) }
  get excused (): number { return [...this.#documents.values()].reduce((sum, { excused }) => sum + excused.size, 0) }

  /** Notes what a client has just made. @returns the changes' hashes */
  add (id: DocumentId, changes: Uint8Array[]): string[] {
    return changes.map(bytes => {
      const { hash, deps } = Automerge.decodeChange(bytes)
      this.#past(id).made.set(hash, { bytes, deps })
      return hash
    })
  }

  /**
   * A client loses what it had of a document.
   * @param had hashes
   * @param own hashes of its own changes
   * @param acknowledged heads that the relay said to this client it has
   * @param kept hashes that come back out of its storage
   */
  lose (id: DocumentId, had: Set<string>, own: Set<string>, acknowledged: Set<string>, kept: Set<string>): void {
    const { excused, promised } = this.#past(id)
    const stored = this.#upTo(id, acknowledged)
    for (const hash of had) if (!own.has(hash)) promised.add(hash)
    for (const hash of own) if (!stored.has(hash) && !kept.has(hash)) excused.add(hash)
  }

  /** The hashes that must be there. */
  required (id: DocumentId): Set<string> {
    const { made, excused, promised } = this.#past(id)
    return new Set([...[...made.keys()].filter(hash => !excused.has(hash)), ...promised])
  }

  /**
   * What Automerge itself makes of the required changes and of those others that were found.
   * @returns problem when a change was found that nobody made
   */
  merged (id: DocumentId, found: Iterable<string>): { doc: Automerge.Doc<Sample>, problem?: string } {
    const { made } = this.#past(id)
    const hashes = this.#upTo(id, [...this.required(id), ...found])
    const changes = [...hashes].flatMap(hash => made.get(hash)?.bytes ?? [])
    const [doc] = Automerge.applyChanges(Automerge.init<Sample>(), changes)
    return changes.length === hashes.size
      ? { doc }
      : { doc, problem: `${hashes.size - changes.length} changes that nobody made` }
  }

  #past (id: DocumentId): Past {
    let past = this.#documents.get(id)
    if (past === undefined) this.#documents.set(id, past = { made: new Map(), excused: new Set(), promised: new Set() })
    return past
  }

  /** These changes and all they depend on. */
  #upTo (id: DocumentId, hashes: Iterable<string>): Set<string> {
    const { made } = this.#past(id)
    const all = new Set<string>()
    const left = [...hashes]
    for (let hash = left.pop(); hash !== undefined; hash = left.pop()) {
      if (all.has(hash)) continue
      all.add(hash)
      left.push(...made.get(hash)?.deps ?? [])
    }
    return all
  }
}

/** The hashes of all changes of a document. */
export const hashesOf = (doc: Automerge.Doc<unknown>): Set<string> =>
  new Set(Automerge.getChangesMetaSince(doc, []).map(({ hash }) => hash))
