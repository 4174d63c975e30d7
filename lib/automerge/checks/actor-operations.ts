import { IntList } from './int-list.ts'

/** The operations of one actor in a form that can be sent to another thread; the lists are those of ActorOperations. */
export interface ActorData { runs: Int32Array, keys: Int32Array, made: Int32Array }

// a run: its first counter, how many, the object and of what kind they are, where their keys begin
const RUN = 4
const START = 0
const LENGTH = 1
const KIND = 2
const KEYS = 3
const MADE = 2

// kinds of operations
const INSERTS = 1
const COUNTS = 2
const KINDS = 4

/** Where an element was inserted: after another, by its actor's index and counter, or at START_OF_LIST. */
export interface Place { actor: number, counter: number }
export const START_OF_LIST = -1

/**
 * The operations of one actor: of each, the object it is in, and what it sets there (a key, as a number) or after what
 * it inserts. Those that follow one another and are alike take no more than one.
 */
export class ActorOperations {
  /** Hexadecimal. */
  readonly id: string
  /** Its place among the document's actors. */
  readonly index: number
  /**
   * Operations with counters without gap in the same object and of a kind: all set something, or each inserts after the
   * one before it; in order.
   */
  readonly #runs: IntList
  /** Of a run that sets, the key of each; of one that inserts, the actor and counter that the first comes after. */
  readonly #keys: IntList
  /** Operations that made an object: counter and object, in order. */
  readonly #made: IntList

  constructor (id: string, index: number, { runs, keys, made }: Partial<ActorData> = {}) {
    this.id = id
    this.index = index
    this.#runs = new IntList(runs)
    this.#keys = new IntList(keys)
    this.#made = new IntList(made)
  }

  /** The counter after its last operation. */
  get end (): number {
    const last = this.#runs.length - RUN
    return last < 0 ? 1 : this.#endOf(last)
  }

  /** Whether an operation inserts an element in an object. */
  inserts (counter: number, object: number): boolean {
    const at = this.#find(counter)
    return at >= 0 && (this.#runs.at(at + KIND) & ~COUNTS) === object * KINDS + INSERTS
  }

  /** Whether an operation sets a key in an object. */
  sets (counter: number, object: number, key: number): boolean {
    const at = this.#find(counter)
    return at >= 0 && (this.#runs.at(at + KIND) & ~COUNTS) === object * KINDS &&
      this.#keys.at(this.#runs.at(at + KEYS) + counter - this.#runs.at(at + START)) === key
  }

  /** Whether an operation sets or inserts a counter. */
  isCounter (counter: number): boolean {
    const at = this.#find(counter)
    return at >= 0 && (this.#runs.at(at + KIND) & COUNTS) !== 0
  }

  /** The object that an operation made; -1 when it made none. */
  made (counter: number): number {
    const at = floor(this.#made, MADE, counter)
    return at >= 0 && this.#made.at(at) === counter ? this.#made.at(at + 1) : -1
  }

  /** The first of the elements that were inserted one after another, this one the last, and where. */
  chain (counter: number): { start: number, after: Place } {
    const at = this.#find(counter)
    const keys = this.#runs.at(at + KEYS)
    return { start: this.#runs.at(at + START), after: { actor: this.#keys.at(keys), counter: this.#keys.at(keys + 1) } }
  }

  /** Adds an operation, after all others, that sets something. */
  addSet (counter: number, object: number, key: number, isCounter: boolean): void {
    const last = this.#runs.length - RUN
    const kind = object * KINDS + (isCounter ? COUNTS : 0)
    if (this.#follows(last, counter, kind)) this.#runs.set(last + LENGTH, this.#runs.at(last + LENGTH) + 1)
    else this.#addRun(counter, kind)
    this.#keys.push(key)
  }

  /** Adds an operation, after all others, that inserts an element. */
  addInsert (counter: number, object: number, after: Place, isCounter: boolean): void {
    const last = this.#runs.length - RUN
    const kind = object * KINDS + INSERTS + (isCounter ? COUNTS : 0)
    const isChained = after.actor === this.index && after.counter === counter - 1
    if (isChained && this.#follows(last, counter, kind)) {
      this.#runs.set(last + LENGTH, this.#runs.at(last + LENGTH) + 1)
      return
    }
    this.#addRun(counter, kind)
    this.#keys.push(after.actor)
    this.#keys.push(after.counter)
  }

  /** Notes that the operation added last made an object. */
  addMade (counter: number, object: number): void {
    this.#made.push(counter)
    this.#made.push(object)
  }

  toData (): ActorData {
    return { runs: this.#runs.toArray(), keys: this.#keys.toArray(), made: this.#made.toArray() }
  }

  #addRun (counter: number, kind: number): void {
    this.#runs.push(counter)
    this.#runs.push(1)
    this.#runs.push(kind)
    this.#runs.push(this.#keys.length)
  }

  #follows (run: number, counter: number, kind: number): boolean {
    return run >= 0 && this.#runs.at(run + KIND) === kind && this.#endOf(run) === counter
  }

  #endOf (run: number): number { return this.#runs.at(run + START) + this.#runs.at(run + LENGTH) }

  /** Where the run with an operation begins; -1 when there is no such operation. */
  #find (counter: number): number {
    const at = floor(this.#runs, RUN, counter)
    return at >= 0 && counter < this.#endOf(at) ? at : -1
  }
}

/**
 * Where the last item is whose first number is at most `value`, in a list of items in order; negative when there is
 * none.
 */
function floor (list: IntList, size: number, value: number): number {
  let low = 0
  let high = list.length / size
  while (low < high) {
    const middle = (low + high) >>> 1
    if (list.at(middle * size) <= value) low = middle + 1
    else high = middle
  }
  return (low - 1) * size
}
