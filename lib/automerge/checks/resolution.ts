import { ActorOperations, START_OF_LIST, type Place } from './actor-operations.ts'
import { invalidChange, type Change } from '../format/change.ts'
import { NULL, pairHash } from '../format/columns.ts'
import { isBefore, type Chain } from './element-order.ts'
import type { IntList } from './int-list.ts'
import { KINDS, ROOT, depthOf, kindMade, kindOf, objectFlags, type Kind } from './objects.ts'
import { ACTIONS, isCounter, type Operations } from '../format/operations.ts'

/** How deep objects may be in objects: Automerge goes down by recursion when it builds a document's value. */
export const MAX_DEPTH = 500
/**
 * From element to element, for all marks of a change: a mark of a whole text takes one for each time its author wrote
 * elsewhere.
 */
const MAX_STEPS = 2 ** 20
const NO_ROWS: Int32Array = new Int32Array(0)

const unknown = (what: string): Error => invalidChange(`${what} that is not there`)

/** A change whose operations are being looked up in the document. */
export class Resolution {
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
  #chainRows = NO_ROWS
  #steps = 0

  constructor (
    change: Change,
    operations: Operations,
    actors: Map<string, ActorOperations>,
    list: ActorOperations[],
    objects: IntList
  ) {
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
      if (kindOf(flags) === KINDS.text && insert[row] === 0 && action[row] !== ACTIONS.delete) {
        throw invalidChange('a text whose characters change')
      }
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
      if (action[row] === ACTIONS.increment && !this.#isCounter(predActor[pred - 1]!, predCounter[pred - 1]!)) {
        throw invalidChange('an increment of what is no counter')
      }
    }
  }

  /** Whether marks end after they begin. */
  checkMarks (): void {
    const { count, action, markName } = this.#operations
    if (!action.includes(ACTIONS.mark)) return
    this.#chainRows = this.#ownChains()
    for (let row = 1; row < count; row++) {
      if (action[row] !== ACTIONS.mark || markName[row] !== NULL) continue
      const [begin, end] =
        [row - 1, row].map(row => ({ actor: this.author.index, counter: this.#change.startOp + row })) as [Place, Place]
      if (!isBefore(begin, end, this)) throw invalidChange('a mark that ends before it begins')
    }
  }

  /** Where an operation inserts. */
  placeOf (row: number): Place {
    const { keyActor, keyCounter } = this.#operations
    return keyActor[row] === NULL
      ? { actor: START_OF_LIST, counter: 0 }
      : { actor: this.#actors[keyActor[row]!]!.index, counter: keyCounter[row]! }
  }

  chain ({ actor, counter }: Place): Chain {
    if (++this.#steps > MAX_STEPS) throw invalidChange('marks that reach too far')
    const row = counter - this.#change.startOp
    if (actor !== this.author.index || row < 0) return this.#documentActors[actor]!.chain(counter)
    const start = this.#chainRows[row]!
    return { start: this.#change.startOp + start, after: this.placeOf(start) }
  }

  compareActors (a: number, b: number): number {
    const [one, other] =
      [a, b].map(index =>
        index === this.author.index ? this.author.id : this.#documentActors[index]!.id) as [string, string]
    return one < other ? -1 : one > other ? 1 : 0
  }

  /**
   * For each of the change's own elements, the row of the first of those inserted one after another that it belongs to.
   */
  #ownChains (): Int32Array {
    const { count, insert, keyActor, keyCounter } = this.#operations
    const chains = new Int32Array(count)
    for (let row = 0; row < count; row++) {
      const follows = row > 0 &&
        insert[row - 1] === 1 && keyActor[row] === 0 && keyCounter[row] === this.#change.startOp + row - 1
      chains[row] = follows ? chains[row - 1]! : row
    }
    return chains
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
    if (row > 0 && objectActor[row] === objectActor[row - 1] && objectCounter[row] === objectCounter[row - 1]) {
      return this.objects[row - 1]!
    }
    const own = this.#ownRow(objectActor[row]!, objectCounter[row]!)
    const object = own >= 0
      ? this.#ownObject(own)
      : this.#known(objectActor[row]!, objectCounter[row]!)?.made(objectCounter[row]!) ?? -1
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
    return this.#operations.action[own] !== ACTIONS.delete &&
      this.objects[own] === this.objects[row] && this.keys[own] === this.keys[row]
  }
}
