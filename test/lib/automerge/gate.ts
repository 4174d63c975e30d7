import { readChange, type Change, type ChangeLimits } from '../../../lib/automerge/format/change.ts'
import { readOperations, type Operations } from '../../../lib/automerge/format/operations.ts'
import { References, type ReferenceData } from '../../../lib/automerge/checks/references.ts'

/** What the engine refuses. */
export class GateError extends Error {}

/** Everything a relay checks of a change before it takes it into a document, over a plain list of all its changes. */
export class Gate {
  #references = new References()
  readonly changes = new Map<string, Change>()
  readonly #operations = new Map<string, Operations>()

  /** @throws RelayError or GateError when the change is refused; it is not added yet */
  check (chunk: Uint8Array, limits?: ChangeLimits): Change {
    const change = readChange(chunk, limits)
    const operations = readOperations(change)
    const past = this.#past(change.deps)
    let seq = 0
    let maxOp = 0
    let last = 0
    const concurrent: Change[] = []
    for (const other of this.changes.values()) {
      if (other.hash === change.hash) throw new GateError('known already')
      if (other.actor === change.actor) seq = Math.max(seq, other.seq)
      maxOp = Math.max(maxOp, other.startOp + other.opCount - 1)
      if (past.has(other.hash)) last = Math.max(last, other.startOp + other.opCount - 1)
      else concurrent.push(other)
    }
    if (change.startOp <= last) throw new GateError('not counted on')
    if (change.opCount === 0 && change.startOp !== last + 1) throw new GateError('nothing, and not counted on')
    if (change.seq !== seq + 1) throw new GateError('not the next of its author')
    if (change.startOp > maxOp + 1) throw new GateError('counted from nowhere')
    this.#references.check(change, operations, concurrent)
    return change
  }

  add (chunk: Uint8Array): void {
    const change = this.check(chunk)
    this.#add(change, readOperations(change))
  }

  /** @param references what the saved document says that can be referred to, for what its changes do */
  clone (references?: ReferenceData): Gate {
    const clone = new Gate()
    for (const change of this.changes.values()) clone.#add(change, this.#operations.get(change.hash)!)
    if (references !== undefined) clone.#references = new References(references)
    return clone
  }

  #add (change: Change, operations: Operations): void {
    this.#references.add(change, operations)
    this.changes.set(change.hash, change)
    this.#operations.set(change.hash, operations)
  }

  #past (deps: string[]): Set<string> {
    const past = new Set<string>()
    for (const stack = [...deps]; stack.length > 0;) {
      const hash = stack.pop()!
      if (past.has(hash)) continue
      const change = this.changes.get(hash)
      if (change === undefined) throw new GateError('a dependency is missing')
      past.add(hash)
      stack.push(...change.deps)
    }
    return past
  }
}
