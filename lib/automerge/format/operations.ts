import { Buffer } from 'node:buffer'
import { invalidChange, type Change } from './change.ts'
import { COLUMNS, NULL, readDeltas, readFlags, readTexts, readUints, textHash, type ColumnOptions } from './columns.ts'
import { ByteReader } from './leb128.ts'
import { VALUE_TYPES, checkValues, sumCounted } from './values.ts'

/** What operations do, by number (Automerge's binary format, "Actions"). */
export const ACTIONS = {
  makeMap: 0, set: 1, makeList: 2, delete: 3, makeText: 4, increment: 5, makeTable: 6, mark: 7
} as const

/**
 * The operations of a change, a row each. An operation is named by its actor, a place in the change's `actors`, and its
 * counter: `startOp` plus its row for the change's own. NULL stands where there is none.
 */
export interface Operations {
  count: number
  /** The object it is in: NULL for the root. */
  objectActor: Int32Array
  objectCounter: Int32Array
  /**
   * In a list or text, the element it is about, or comes after when it inserts: no actor and counter 0 for the start.
   */
  keyActor: Int32Array
  keyCounter: Int32Array
  /** In a map, the hash of its key (see columns.ts). */
  keyText: Int32Array
  insert: Uint8Array
  action: Int32Array
  /** Of its value, length << 4 | type (see values.ts). */
  valueMeta: Int32Array
  /** How many operations it overwrites; they follow one another in `predActor` and `predCounter`. */
  predCount: Int32Array
  predActor: Int32Array
  predCounter: Int32Array
  /** The hash of its mark's name, which only the beginning of a mark has; its end is the operation after it. */
  markName: Int32Array
  /** What its counters and increments come to at most (see values.ts). */
  counted: number
}

/** Operations of one change may overwrite as many; honest ones overwrite one each, save where there are conflicts. */
const MAX_PREDS = 4 * 2 ** 20

/** A key that JavaScript's Automerge sets the prototype of an object with, and cannot go on from there. */
const PROTOTYPE = textHash(Buffer.from('__proto__'))

const column = (what: string): ColumnOptions => ({ strict: true, what, invalid: invalidChange })
const OPTIONS = {
  object: column('objects'),
  keyElement: column('elements'),
  keyText: column('keys'),
  insert: column('insert'),
  action: column('actions'),
  value: column('values'),
  preds: column('predecessors'),
  expand: column('expand'),
  markName: column('mark names')
}

/**
 * Reads the operations of a change and checks that they make sense by themselves, and that they are written as
 * Automerge writes them: it keeps operations and not bytes, writes the change anew from them whenever it loads the
 * document, and refuses the document when the hash is another then.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readOperations (change: Change): Operations {
  const { opCount: count, columns, plain } = change
  if (count === 0) {
    if (columns.length > 0) throw invalidChange('columns without operations')
    if (change.actors.length > 1) throw invalidChange('actors that nothing refers to')
  }
  const reader = (specification: number): ByteReader | undefined => {
    for (const { specification: other, at, end } of columns) {
      if (other === specification) return new ByteReader(plain, invalidChange, at, end)
    }
    return undefined
  }
  const predCount = readUints(reader(COLUMNS.predGroup), count, OPTIONS.preds)
  const preds = sum(predCount)
  const operations: Operations = {
    count,
    objectActor: readUints(reader(COLUMNS.objectActor), count, OPTIONS.object),
    objectCounter: readUints(reader(COLUMNS.objectCounter), count, OPTIONS.object),
    keyActor: readUints(reader(COLUMNS.keyActor), count, OPTIONS.keyElement),
    keyCounter: readDeltas(reader(COLUMNS.keyCounter), count, OPTIONS.keyElement),
    keyText: readTexts(reader(COLUMNS.keyText), count, OPTIONS.keyText),
    insert: readFlags(reader(COLUMNS.insert), count, OPTIONS.insert),
    action: readUints(reader(COLUMNS.action), count, OPTIONS.action),
    valueMeta: readUints(reader(COLUMNS.valueMeta), count, OPTIONS.value),
    predCount,
    predActor: readUints(reader(COLUMNS.predActor), preds, OPTIONS.preds),
    predCounter: readDeltas(reader(COLUMNS.predCounter), preds, OPTIONS.preds),
    markName: readTexts(reader(COLUMNS.markName), count, OPTIONS.markName),
    counted: 0
  }
  if (count > 0 && reader(COLUMNS.insert) === undefined) throw invalidChange('no column of insert')
  checkReferences(operations, change)
  checkValues(operations.valueMeta, reader(COLUMNS.value), plain)
  checkActions(operations, optionalFlags(reader(COLUMNS.expand), count))
  operations.counted = sumCounted(
    operations.valueMeta, reader(COLUMNS.value), row => operations.action[row] === ACTIONS.increment
  )
  return operations
}

function sum (counts: Int32Array): number {
  let sum = 0
  for (let row = 0; row < counts.length; row++) {
    if (counts[row] === NULL) throw invalidChange('predecessors without number')
    sum += counts[row]!
    if (sum > MAX_PREDS) throw invalidChange('too many predecessors')
  }
  return sum
}

/** A column of booleans that is left out when all are false. */
function optionalFlags (reader: ByteReader | undefined, rows: number): Uint8Array {
  const flags = readFlags(reader, rows, OPTIONS.expand)
  if (reader !== undefined && !flags.includes(1)) throw invalidChange('expand is not as Automerge writes it')
  return flags
}

/**
 * Whether each reference is whole, to an actor there is and to an operation before it; and each actor is referred to.
 */
function checkReferences (operations: Operations, { actors, startOp }: Change): void {
  const { count, objectActor, objectCounter, keyActor, keyCounter, keyText, predCount, predActor, predCounter } =
    operations
  const referredTo = new Uint8Array(actors.length)
  for (let row = 0, pred = 0; row < count; row++) {
    const before = startOp + row
    if (objectActor[row] !== NULL || objectCounter[row] !== NULL) {
      checkReference('an object', objectActor[row]!, objectCounter[row]!, before, referredTo)
    }
    if (keyText[row] === NULL) {
      const isStart = keyActor[row] === NULL && keyCounter[row] === 0
      if (!isStart) checkReference('an element', keyActor[row]!, keyCounter[row]!, before, referredTo)
    } else if (keyActor[row] !== NULL || keyCounter[row] !== NULL) throw invalidChange('a key and an element')
    const first = pred
    for (const end = pred + predCount[row]!; pred < end; pred++) {
      checkReference('a predecessor', predActor[pred]!, predCounter[pred]!, before, referredTo)
      if (pred > first && !isBefore(operations, actors, pred - 1, pred)) {
        throw invalidChange('predecessors are out of order')
      }
    }
  }
  for (let actor = 1; actor < actors.length; actor++) {
    if (referredTo[actor] === 0) throw invalidChange('actors that nothing refers to')
  }
}

/** @param before the counter of the operation that refers */
function checkReference (what: string, actor: number, counter: number, before: number, referredTo: Uint8Array): void {
  if (actor < 0 || actor >= referredTo.length) throw invalidChange(`${what} of an actor that is not there`)
  if (counter <= 0 || counter >= before) throw invalidChange(`${what} that is not there yet`)
  referredTo[actor] = 1
}

/** Whether one predecessor's id is less than another's. */
function isBefore ({ predActor, predCounter }: Operations, actors: string[], a: number, b: number): boolean {
  return predCounter[a] === predCounter[b]
    ? actors[predActor[a]!]! < actors[predActor[b]!]!
    : predCounter[a]! < predCounter[b]!
}

/** Whether each operation has what its action takes, and nothing else. */
function checkActions (operations: Operations, expand: Uint8Array): void {
  const { count, objectActor, keyActor, keyText, insert, action, valueMeta, predCount, markName } = operations
  for (let row = 0; row < count; row++) {
    const valueType = valueMeta[row]! & 0xf
    const inserts = insert[row] === 1
    if (keyText[row] === NULL) {
      if (objectActor[row] === NULL) throw invalidChange('an element in the root')
      if (!inserts && keyActor[row] === NULL) throw invalidChange('an operation without key')
    } else {
      if (inserts) throw invalidChange('an insertion at a key')
      if (keyText[row] === PROTOTYPE) throw invalidChange('the key __proto__')
    }
    if (inserts && predCount[row]! > 0) throw invalidChange('an insertion with predecessors')
    if (action[row] !== ACTIONS.mark && (expand[row] === 1 || markName[row] !== NULL)) {
      throw invalidChange('a mark that is none')
    }
    switch (action[row]) {
      case ACTIONS.set: break
      case ACTIONS.makeMap:
      case ACTIONS.makeList:
      case ACTIONS.makeText:
        if (valueMeta[row] !== VALUE_TYPES.null) throw invalidChange('an object with a value')
        break
      case ACTIONS.delete:
        if (inserts || valueMeta[row] !== VALUE_TYPES.null || predCount[row] === 0) {
          throw invalidChange('a deletion of nothing')
        }
        break
      case ACTIONS.increment:
        if (inserts || predCount[row] === 0 || (valueType !== VALUE_TYPES.uint && valueType !== VALUE_TYPES.int)) {
          throw invalidChange('an increment of nothing')
        }
        break
      case ACTIONS.mark:
        if (!inserts) throw invalidChange('a mark that is not inserted')
        if (markName[row] === NULL) checkMarkEnd(operations, row)
        break
      default: throw invalidChange(`action ${action[row]}`)
    }
  }
}

/** The end of a mark belongs to the operation before it, which must begin one in the same object. */
function checkMarkEnd ({ objectActor, objectCounter, action, valueMeta, markName }: Operations, row: number): void {
  const begins = row > 0 && action[row - 1] === ACTIONS.mark && markName[row - 1] !== NULL &&
    objectActor[row - 1] === objectActor[row] && objectCounter[row - 1] === objectCounter[row]
  if (!begins || valueMeta[row] !== VALUE_TYPES.null) throw invalidChange('a mark that ends before it begins')
}

/** Whether an operation sets or inserts a counter. */
export const isCounter = ({ action, valueMeta }: Pick<Operations, 'action' | 'valueMeta'>, row: number): boolean =>
  action[row] === ACTIONS.set && (valueMeta[row]! & 0xf) === VALUE_TYPES.counter
