import { ActorOperations, START_OF_LIST, type ActorData, type Place } from './actor-operations.ts'
import { invalidChange, type Change } from './change.ts'
import { NULL, pairHash } from './columns.ts'
import { isBefore, type Chain } from './element-order.ts'
import { IntList } from './int-list.ts'
import { ACTIONS, isCounter, type Operations } from './operations.ts'
import { MAX_COUNTED } from './values.ts'

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

/** How deep objects may be in objects: Automerge goes down by recursion when it builds a document's value. */
export const MAX_DEPTH = 500

const ROOT = 0
/** What is kept of an object: its kind, and how many objects it is in. */
export const KINDS = { map: 0, list: 1, text: 2 } as const
type Kind = typeof KINDS[keyof typeof KINDS]
export const objectFlags = (kind: Kind, depth: number): number => depth << 2 | kind
const kindOf = (flags: number): number => flags & 3
export const depthOf = (flags: number): number => flags >> 2
/** The kind of object that an action makes. */
export const kindMade = (action: number): Kind | undefined => MADE[action]
const MADE: (Kind | undefined)[] = []
MADE[ACTIONS.makeMap] = MADE[ACTIONS.makeTable] = KINDS.map
MADE[ACTIONS.makeList] = KINDS.list
MADE[ACTIONS.makeText] = KINDS.text

const unknown = (what: string): Error => invalidChange(`${what} that is not there`)

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

  constructor ({ actors, objects, counted }: ReferenceData = { actors: new Map(), objects: Int32Array.of(objectFlags(KINDS.map, 0)), counted: 0 }) {
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
    const resolving = this.#resolving(change, operations)
    for (const { actor, startOp } of concurrent) resolving.limit(actor, startOp)
    resolving.resolve()
    resolving.checkPreds()
    resolving.checkMarks()
  }

  /** Adds a change that has been checked after all that it depends on were added. */
  add (change: Change, operations: Operations): void {
    const resolved = this.#resolving(change, operations).resolve()
    const { author, objects, keys, made } = resolved
    for (let row = 0, next = 0; row < operations.count; row++) {
      if (operations.action[row] === ACTIONS.delete) continue
      const counter = change.startOp + row
      if (operations.insert[row] === 1) author.addInsert(counter, objects[row]!, resolved.placeOf(row), isCounter(operations, row))
      else author.addSet(counter, objects[row]!, keys[row]!, isCounter(operations, row))
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

  #resolving (change: Change, operations: Operations): Resolving {
    return new Resolving(change, operations, this.#actors, this.#list, this.#objects)
  }
}

/** A change whose operations are being looked up in the document. */
class Resolving {
  readonly author: ActorOperations
  /** The object each operation is in, by its index. */
  readonly objects: Int32Array
  /** What each sets in its object, as a hash; NULL when it inserts. */
  readonly keys: Int32Array
  /** Objects made; their indices follow the document's. */
  readonly made: { row: number, flags: number }[] = []
  readonly #change: Change
  readonly #operations: Operations
  /** Those of the change, as far as they are known. */
  readonly #actors: (ActorOperations | undefined)[]
  readonly #limits: number[]
  readonly #documentActors: ActorOperations[]
  readonly #documentObjects: IntList

  constructor (change: Change, operations: Operations, actors: Map<string, ActorOperations>, list: ActorOperations[], objects: IntList) {
    this.#change = change
    this.#operations = operations
    this.#actors = change.actors.map(actor => actors.get(actor))
    this.author = this.#actors[0] ??= new ActorOperations(change.actor, list.length)
    this.#documentActors = list
    this.#limits = change.actors.map(() => Infinity)
    this.#documentObjects = objects
    this.objects = new Int32Array(operations.count)
    this.keys = new Int32Array(operations.count)
  }

  /** An actor's operations from a counter on cannot be referred to. */
  limit (actor: string, counter: number): void {
    const at = this.#change.actors.indexOf(actor)
    if (at === 0) throw invalidChange('a change that does not depend on its author’s last')
    if (at > 0) this.#limits[at] = Math.min(this.#limits[at]!, counter)
  }

  resolve (): this {
    if (this.#change.startOp < this.author.end) throw invalidChange('operations counted from before its author’s last')
    const { count, action, insert } = this.#operations
    for (let row = 0; row < count; row++) {
      const object = this.#object(row)
      const flags = this.#flags(object)
      this.objects[row] = object
      this.keys[row] = kindOf(flags) === KINDS.map ? this.#key(row) : this.#element(row, object)
      if (kindOf(flags) === KINDS.text && insert[row] === 0 && action[row] !== ACTIONS.delete) throw invalidChange('a text whose characters change')
      if (kindOf(flags) !== KINDS.text && action[row] === ACTIONS.mark) throw invalidChange('a mark in what is no text')
      const kind = kindMade(action[row]!)
      if (kind !== undefined) this.#make(row, flags, kind)
    }
    return this
  }

  /**
   * Whether what operations overwrite is about the same as they are. What is incremented must be a counter where there
   * are several values: the last, which is the one that is shown.
   */
  checkPreds (): void {
    const { count, action, predCount, predActor, predCounter, keyActor, keyCounter } = this.#operations
    for (let row = 0, pred = 0; row < count; row++) {
      const isElement = kindOf(this.#flags(this.objects[row]!)) !== KINDS.map
      for (const end = pred + predCount[row]!; pred < end; pred++) {
        const same = isElement && predActor[pred] === keyActor[row] && predCounter[pred] === keyCounter[row]
        if (!same && !this.#sets(predActor[pred]!, predCounter[pred]!, row)) throw unknown('a predecessor')
      }
      if (action[row] === ACTIONS.increment && !this.#isCounter(predActor[pred - 1]!, predCounter[pred - 1]!)) throw invalidChange('an increment of what is no counter')
    }
  }

  /** Whether marks end after they begin. */
  checkMarks (): void {
    const { count, action, markName } = this.#operations
    for (let row = 1; row < count; row++) {
      if (action[row] !== ACTIONS.mark || markName[row] !== NULL) continue
      const [begin, end] = [row - 1, row].map(row => ({ actor: this.author.index, counter: this.#change.startOp + row })) as [Place, Place]
      if (!isBefore(begin, end, this)) throw invalidChange('a mark that ends before it begins')
    }
  }

  /** Where an operation inserts. */
  placeOf (row: number): Place {
    const { keyActor, keyCounter } = this.#operations
    return keyActor[row] === NULL ? { actor: START_OF_LIST, counter: 0 } : { actor: this.#actors[keyActor[row]!]!.index, counter: keyCounter[row]! }
  }

  chain ({ actor, counter }: Place): Chain {
    const row = counter - this.#change.startOp
    if (actor !== this.author.index || row < 0) return this.#documentActors[actor]!.chain(counter)
    return { start: counter, after: this.placeOf(row) }
  }

  compareActors (a: number, b: number): number {
    const [one, other] = [a, b].map(index => index === this.author.index ? this.author.id : this.#documentActors[index]!.id) as [string, string]
    return one < other ? -1 : one > other ? 1 : 0
  }

  #make (row: number, parent: number, kind: Kind): void {
    const depth = depthOf(parent) + 1
    if (depth > MAX_DEPTH) throw invalidChange(`more than ${MAX_DEPTH} objects in one another`)
    this.made.push({ row, flags: objectFlags(kind, depth) })
  }

  #flags (object: number): number {
    const { length } = this.#documentObjects
    return object < length ? this.#documentObjects.at(object) : this.made[object - length]!.flags
  }

  /** The row of one of the change's own operations; -1 for another's. */
  #ownRow (actor: number, counter: number): number {
    return actor === 0 && counter >= this.#change.startOp ? counter - this.#change.startOp : -1
  }

  #known (actor: number, counter: number): ActorOperations | undefined {
    return counter < this.#limits[actor]! ? this.#actors[actor] : undefined
  }

  #object (row: number): number {
    const { objectActor, objectCounter } = this.#operations
    if (objectActor[row] === NULL) return ROOT
    if (row > 0 && objectActor[row] === objectActor[row - 1] && objectCounter[row] === objectCounter[row - 1]) return this.objects[row - 1]!
    const own = this.#ownRow(objectActor[row]!, objectCounter[row]!)
    const object = own >= 0 ? this.#ownObject(own) : this.#known(objectActor[row]!, objectCounter[row]!)?.made(objectCounter[row]!) ?? -1
    if (object < 0) throw unknown('an object')
    return object
  }

  #ownObject (row: number): number {
    let [low, high] = [0, this.made.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.made[middle]!.row < row) low = middle + 1
      else high = middle
    }
    return this.made[low]?.row === row ? this.#documentObjects.length + low : -1
  }

  #key (row: number): number {
    const key = this.#operations.keyText[row]!
    if (key === NULL) throw invalidChange('an element in a map')
    return key
  }

  #element (row: number, object: number): number {
    const { keyActor, keyCounter, keyText, insert } = this.#operations
    if (keyText[row] !== NULL) throw invalidChange('a key in a list')
    if (keyActor[row] !== NULL && !this.#inserts(keyActor[row]!, keyCounter[row]!, object)) throw unknown('an element')
    return insert[row] === 1 ? NULL : pairHash(this.#actors[keyActor[row]!]!.index, keyCounter[row]!)
  }

  #inserts (actor: number, counter: number, object: number): boolean {
    const own = this.#ownRow(actor, counter)
    if (own >= 0) return this.#operations.insert[own] === 1 && this.objects[own] === object
    return this.#known(actor, counter)?.inserts(counter, object) ?? false
  }

  #isCounter (actor: number, counter: number): boolean {
    const own = this.#ownRow(actor, counter)
    return own < 0 ? this.#actors[actor]!.isCounter(counter) : isCounter(this.#operations, own)
  }

  #sets (actor: number, counter: number, row: number): boolean {
    const own = this.#ownRow(actor, counter)
    if (own < 0) return this.#known(actor, counter)?.sets(counter, this.objects[row]!, this.keys[row]!) ?? false
    return this.#operations.action[own] !== ACTIONS.delete && this.objects[own] === this.objects[row] && this.keys[own] === this.keys[row]
  }
}
