import { ActorOperations, START_OF_LIST } from './actor-operations.ts'
import { NULL, pairHash } from '../format/columns.ts'
import { KINDS, ROOT, depthOf, kindMade, objectFlags } from './objects.ts'
import { isCounter, type Operations } from '../format/operations.ts'
import type { ReferenceData } from './references.ts'

/**
 * A document's operations, a row each, in the document's order; deletions are not among them. Actors are the
 * document's.
 */
export type DocumentRows = Pick<
  Operations,
  'objectActor' | 'objectCounter' | 'keyActor' | 'keyCounter' | 'keyText' | 'insert' | 'action' | 'valueMeta'
> & {
  idActor: Int32Array
  idCounter: Int32Array
}

const NONE = -1
const DIGIT = 16 // bits
const MIN_COUNTED = 10_000 // numbers: sorting fewer by comparing takes less than counting 65,536 digits twice

/**
 * What changes may refer to, from a document's operations.
 * @param counted what all counters come to at most (see values.ts)
 * @param invalid makes the error that is thrown
 */
export function collectReferences (
  actors: string[], rows: DocumentRows, counted: number, invalid: (problem: string) => Error
): ReferenceData {
  const { idActor, idCounter, keyActor, keyCounter, keyText, insert } = rows
  const { objectOf, made, flags } = collectObjects(rows, actors.length, invalid)
  const collected = actors.map((actor, index) => new ActorOperations(actor, index))
  for (const row of inOrder(idCounter)) {
    const actor = collected[idActor[row]!]!
    const counter = idCounter[row]!
    if (counter < actor.end) throw invalid('an operation that is there twice')
    if (insert[row] === 1) {
      actor.addInsert(
        counter,
        objectOf[row]!,
        { actor: keyActor[row] === NULL ? START_OF_LIST : keyActor[row]!, counter: keyCounter[row]! },
        isCounter(rows, row)
      )
    } else {
      actor.addSet(
        counter,
        objectOf[row]!,
        keyText[row] !== NULL ? keyText[row]! : pairHash(keyActor[row]!, keyCounter[row]!),
        isCounter(rows, row)
      )
    }
    if (made[row] !== NONE) actor.addMade(counter, made[row]!)
  }
  return {
    actors: new Map(collected.map((actor, index) => [actors[index]!, actor.toData()])),
    objects: Int32Array.from(flags),
    counted
  }
}

/**
 * The object of each operation, the one each made or NONE, and the flags of each. What is in an object follows what
 * made it.
 */
function collectObjects (
  { idActor, idCounter, objectActor, objectCounter, action }: DocumentRows,
  actorCount: number,
  invalid: (problem: string) => Error
) {
  const objectOf = new Int32Array(action.length)
  const made = new Int32Array(action.length).fill(NONE)
  const flags = [objectFlags(KINDS.map, 0)]
  const byId = new Map<number, number>()
  const idOf = (actor: number, counter: number): number => counter * actorCount + actor
  for (let row = 0; row < action.length; row++) {
    const inRoot = objectActor[row] === NULL && objectCounter[row] === NULL
    const isSame = row > 0 && objectActor[row] === objectActor[row - 1] && objectCounter[row] === objectCounter[row - 1]
    const object = inRoot ? ROOT : isSame ? objectOf[row - 1] : byId.get(idOf(objectActor[row]!, objectCounter[row]!))
    if (object === undefined) throw invalid('an object that is not there')
    objectOf[row] = object
    if (idActor[row]! < 0 || idActor[row]! >= actorCount || idCounter[row]! <= 0) {
      throw invalid('an operation without id')
    }
    const kind = kindMade(action[row]!)
    if (kind === undefined) continue
    made[row] = flags.length
    byId.set(idOf(idActor[row]!, idCounter[row]!), flags.length)
    flags.push(objectFlags(kind, depthOf(flags[object]!) + 1))
  }
  return { objectOf, made, flags }
}

/** The places of numbers in order of the numbers, none of them negative: sorted by 16 bits and 16 bits. */
function inOrder (numbers: Int32Array): Uint32Array {
  let order = new Uint32Array(numbers.length).map((_, place) => place)
  if (numbers.length < MIN_COUNTED) return order.sort((a, b) => numbers[a]! - numbers[b]!)
  for (const shift of [0, DIGIT]) {
    const starts = new Uint32Array(2 ** DIGIT + 1)
    const digit = (place: number): number => numbers[place]! >>> shift & 2 ** DIGIT - 1
    for (const place of order) starts[digit(place) + 1]!++
    for (let n = 1; n < starts.length; n++) starts[n]! += starts[n - 1]!
    const sorted = new Uint32Array(numbers.length)
    for (const place of order) sorted[starts[digit(place)]!++] = place
    order = sorted
  }
  return order
}
