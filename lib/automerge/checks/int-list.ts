const MAX_IN_ARRAY = 64 // numbers

/**
 * Numbers of 31 bits, and more of them at the end: an array while they are few, which is smaller then, and 4 bytes each
 * after.
 */
export class IntList {
  #items: number[] | Int32Array
  #length: number

  /** @param items kept */
  constructor (items: Int32Array = new Int32Array(0)) {
    this.#items = items.length > MAX_IN_ARRAY ? items : Array.from(items)
    this.#length = items.length
  }

  get length (): number { return this.#length }

  at (index: number): number { return this.#items[index]! }

  set (index: number, value: number): void { this.#items[index] = value }

  push (value: number): void {
    const items = this.#items
    if (Array.isArray(items)) {
      items.push(value)
      if (items.length > MAX_IN_ARRAY) this.#items = Int32Array.from(items)
    } else {
      if (this.#length === items.length) this.#grow(items)
      this.#items[this.#length] = value
    }
    this.#length++
  }

  /** What is in it, and nothing else. */
  toArray (): Int32Array { return Int32Array.from(this.#items.slice(0, this.#length)) }

  #grow (items: Int32Array): void {
    const grown = new Int32Array(Math.ceil(items.length * 1.25))
    grown.set(items)
    this.#items = grown
  }
}
