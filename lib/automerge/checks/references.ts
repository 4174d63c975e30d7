import { ActorOperations, type ActorData } from './actor-operations.ts'
import { invalidChange, type Change } from '../format/change.ts'
import { IntList } from './int-list.ts'
import { KINDS, objectFlags } from './objects.ts'
import { ACTIONS, isCounter, type Operations } from '../format/operations.ts'
import { Resolution } from './resolution.ts'
import { MAX_COUNTED } from '../format/values.ts'

/** What is kept of a document's operations, in a form that can be sent to another thread of this process. */
export interface ReferenceData {
  /** In the order of their indices. */
  actors: Map<string, ActorData>
  /** Of each object, what `objectFlags` makes of it; the first is the root. */
  objects: Int32Array
  /** What all counters come to at most (see values.ts). */
  counted: number
}

/** A change that another does not depend on, neither directly nor by others. */
export type Concurrent = Pick<Change, 'actor' | 'startOp'>

/**
 * What changes of one document may refer to. Automerge does not check it: from what is wrong it panics, or makes a
 * document that cannot be loaded. Everything is kept that a change may ever refer to, since it may be based on any
 * earlier version; of operations only deletions cannot be referred to.
 */
export class References {
  readonly #actors = new Map<string, ActorOperations>()
  readonly #list: ActorOperations[] = []
  readonly #objects: IntList
  #counted: number

  constructor ({ actors, objects, counted }: ReferenceData = {
    actors: new Map(), objects: Int32Array.of(objectFlags(KINDS.map, 0)), counted: 0
  }) {
    for (const [actor, data] of actors) this.#know(new ActorOperations(actor, this.#list.length, data))
    this.#objects = new IntList(objects)
    this.#counted = counted
  }

  /**
   * Checks what a change refers to: objects, elements of lists and predecessors, each of the right kind; that marks end
   * after they begin; and that counters stay within what JavaScript can count.
   * @param concurrent the changes of this document that it does not depend on, neither directly nor by others
   * @throws RelayError RELAY_DOCUMENT_INVALID
   */
  check (change: Change, operations: Operations, concurrent: Iterable<Concurrent> = []): void {
    if (this.#counted + operations.counted > MAX_COUNTED) throw invalidChange('counters beyond what can be counted')
    const resolution = this.#resolve(change, operations)
    for (const { actor, startOp } of concurrent) resolution.limit(actor, startOp)
    resolution.resolve()
    resolution.checkPreds()
    resolution.checkMarks()
  }

  /** Adds a change that has been checked after all that it depends on were added. */
  add (change: Change, operations: Operations): void {
    const resolved = this.#resolve(change, operations).resolve()
    const { author, objects, keys, made } = resolved
    for (let row = 0, next = 0; row < operations.count; row++) {
      if (operations.action[row] === ACTIONS.delete) continue
      const counter = change.startOp + row
      if (operations.insert[row] === 1) {
        author.addInsert(counter, objects[row]!, resolved.placeOf(row), isCounter(operations, row))
      } else author.addSet(counter, objects[row]!, keys[row]!, isCounter(operations, row))
      if (made[next]?.row !== row) continue
      author.addMade(counter, this.#objects.length)
      this.#objects.push(made[next++]!.flags)
    }
    this.#counted += operations.counted
    if (author.end > 1) this.#know(author)
  }

  #know (actor: ActorOperations): void {
    this.#actors.set(actor.id, actor)
    this.#list[actor.index] = actor
  }

  #resolve (change: Change, operations: Operations): Resolution {
    return new Resolution(change, operations, this.#actors, this.#list, this.#objects)
  }
}
