import { RelayError } from '../../errors.ts'
import type { Editor, Path } from './editor.ts'
import { copyOf, isMap, isObject, shows, type Json, type JsonObject } from './json.ts'
import { parsePointer } from './json-pointer.ts'

const INDEX = /^(0|[1-9]\d{0,15})$/

const invalid = (problem: string): RelayError => new RelayError('RELAY_PATCH_INVALID', `not a JSON Patch: ${problem}`)

/**
 * Applies a JSON Patch (RFC 6902). Types are kept by `move` and `copy`; `replace`, and `add` over a field, change what
 * is there as `Editor.set` does.
 * @throws RelayError RELAY_PATCH_INVALID, or RELAY_PATCH_CONFLICT when the document is not as it expects
 */
export function applyJsonPatch (editor: Editor, patch: Json): void {
  if (!Array.isArray(patch)) throw invalid('it must be a list of operations')
  patch.forEach((operation, n) => {
    if (!isObject(operation)) throw invalid(`operation ${n} is not an object`)
    new Operation(editor, operation, n).run()
  })
}

/** One operation of a patch. */
class Operation {
  readonly #editor: Editor
  readonly #fields: JsonObject
  readonly #number: number

  constructor (editor: Editor, fields: JsonObject, number: number) {
    this.#editor = editor
    this.#fields = fields
    this.#number = number
  }

  run (): void {
    const { op } = this.#fields
    const tokens = this.#pointer('path')
    switch (op) {
      case 'add': return this.#add(tokens)
      case 'remove': return this.#remove(this.#existing(tokens))
      case 'replace': return this.#replace(this.#existing(tokens), this.#value())
      case 'move': return this.#move(tokens)
      case 'copy': return this.#put(tokens, copyOf(this.#editor.at(this.#existing(this.#pointer('from')))))
      case 'test':
        if (!shows(this.#editor.at(this.#existing(tokens)), this.#value())) throw this.#conflict('the value is another')
        return
      default: throw invalid(`operation ${this.#number} has no op that there is`)
    }
  }

  #add (tokens: string[]): void {
    const value = this.#value()
    if (tokens.length === 0) return this.#replace([], value)
    const place = this.#place(tokens)
    if (typeof place.at(-1) === 'number') this.#editor.insert(place, [value])
    else this.#editor.set(place, value)
  }

  #remove (path: Path): void {
    if (path.length === 0) throw invalid(`operation ${this.#number} removes the document itself`)
    this.#editor.remove(path)
  }

  #replace (path: Path, value: Json): void {
    if (path.length === 0 && !isObject(value)) throw invalid('a document must be an object')
    this.#editor.set(path, value)
  }

  #move (tokens: string[]): void {
    const from = this.#pointer('from')
    const source = this.#existing(from)
    if (from.length < tokens.length && from.every((token, n) => token === tokens[n])) {
      throw invalid(`operation ${this.#number} moves something into itself`)
    }
    if (from.length === tokens.length && from.every((token, n) => token === tokens[n])) return
    const value = copyOf(this.#editor.at(source))
    this.#remove(source)
    this.#put(tokens, value)
  }

  /** Puts a value of a document where there may be none yet. */
  #put (tokens: string[], value: unknown): void {
    if (tokens.length === 0) throw invalid(`operation ${this.#number} replaces the document by a part of it`)
    const place = this.#place(tokens)
    if (typeof place.at(-1) === 'number') this.#editor.insert(place, [value])
    else this.#editor.put(place, value)
  }

  /** Where something is to be added: its parent must be there. */
  #place (tokens: string[]): Path {
    const parent = this.#existing(tokens.slice(0, -1))
    const target = this.#editor.at(parent)
    const token = tokens.at(-1)!
    if (isMap(target)) return [...parent, this.#key(token)]
    if (!Array.isArray(target)) throw this.#conflict('there is neither an object nor a list to add to')
    if (token === '-') return [...parent, target.length]
    return [...parent, this.#index(token, target.length)]
  }

  #existing (tokens: string[]): Path {
    const path: Path = []
    let value = this.#editor.at(path)
    for (const token of tokens) {
      if (Array.isArray(value)) path.push(this.#index(token, value.length - 1))
      else if (isMap(value)) path.push(this.#key(token))
      else throw this.#conflict('there is nothing')
      value = (value as Record<string, unknown>)[path.at(-1)!]
      if (value === undefined) throw this.#conflict('there is nothing')
    }
    return path
  }

  #index (token: string, last: number): number {
    if (!INDEX.test(token)) throw this.#conflict(`${token.slice(0, 100)} is no index of a list`)
    if (Number(token) > last) throw this.#conflict('the list is not that long')
    return Number(token)
  }

  #key (token: string): string {
    if (token === '__proto__') throw invalid('no document can hold the key __proto__')
    return token
  }

  #value (): Json {
    const { value } = this.#fields
    if (value === undefined) throw invalid(`operation ${this.#number} has no value`)
    return value
  }

  #pointer (name: 'path' | 'from'): string[] {
    const text = this.#fields[name]
    if (typeof text !== 'string') throw invalid(`operation ${this.#number} has no ${name}`)
    return parsePointer(text)
  }

  #conflict (problem: string): RelayError {
    return new RelayError(
      'RELAY_PATCH_CONFLICT', `operation ${this.#number} of the patch does not fit the document: ${problem}`
    )
  }
}
