import { NULL } from './columns.ts'
import { IntList } from './int-list.ts'

/** The operations of one actor in a form that can be sent to another thread; the lists are those of ActorOperations. */
export interface ActorData { runs: Int32Array, keys: Int32Array, made: Int32Array }

// a run: its first counter, how many, the object and whether they insert, where their keys begin
const RUN = 4
const START = 0
const LENGTH = 1
const KIND = 2
const KEYS = 3
const MADE = 2

/**
 * The operations of one actor: of each, the object it is in, and its key (a number; NULL of one that inserts). Those
 * that follow one another and are alike take no more than one.
 */
export class ActorOperations {
  /** Its place among the document's actors. */
  readonly index: number
  /** Operations with counters without gap in the same object, all of which insert or none; in order. */
  readonly #runs: IntList
  /** The keys of operations that insert nothing, in order. */
  readonly #keys: IntList
  /** Operations that made an object: counter and object, in order. */
  readonly #made: IntList

  constructor (index: number, { runs, keys, made }: Partial<ActorData> = {}) {
    this.index = index
    this.#runs = new IntList(runs)
    this.#keys = new IntList(keys)
    this.#made = new IntList(made)
  }

  /** The counter after its last operation. */
  get end (): number {
    const last = this.#runs.length - RUN
    return last < 0 ? 1 : this.#runs.at(last + START) + this.#runs.at(last + LENGTH)
  }

  /** Whether an operation inserts an element in an object. */
  inserts (counter: number, object: number): boolean {
    const at = this.#find(counter)
    return at >= 0 && this.#runs.at(at + KIND) === object * 2 + 1
  }

  /** Whether an operation sets a key in an object. */
  sets (counter: number, object: number, key: number): boolean {
    const at = this.#find(counter)
    return at >= 0 && this.#runs.at(at + KIND) === object * 2 &&
      this.#keys.at(this.#runs.at(at + KEYS) + counter - this.#runs.at(at + START)) === key
  }

  /** The object that an operation made; -1 when it made none. */
  made (counter: number): number {
    const at = floor(this.#made, MADE, counter)
    return at >= 0 && this.#made.at(at) === counter ? this.#made.at(at + 1) : -1
  }

  /** Adds an operation after all others. @param key NULL when it inserts */
  add (counter: number, object: number, key: number): void {
    const runs = this.#runs
    const kind = object * 2 + (key === NULL ? 1 : 0)
    const last = runs.length - RUN
    if (last >= 0 && runs.at(last + KIND) === kind && this.end === counter) runs.set(last + LENGTH, runs.at(last + LENGTH) + 1)
    else for (const part of [counter, 1, kind, this.#keys.length]) runs.push(part)
    if (key !== NULL) this.#keys.push(key)
  }

  /** Notes that the operation added last made an object. */
  addMade (counter: number, object: number): void {
    this.#made.push(counter)
    this.#made.push(object)
  }

  toData (): ActorData {
    return { runs: this.#runs.toArray(), keys: this.#keys.toArray(), made: this.#made.toArray() }
  }

  /** Where the run with an operation begins; -1 when there is no such operation. */
  #find (counter: number): number {
    const at = floor(this.#runs, RUN, counter)
    return at >= 0 && counter < this.#runs.at(at + START) + this.#runs.at(at + LENGTH) ? at : -1
  }
}

/** Where the last item is whose first number is at most `value`, in a list of items in order; negative when there is none. */
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
