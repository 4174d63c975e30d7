import * as Automerge from '@automerge/automerge'
import { leb, mutate } from '../../fuzz.ts'
import {
  HEAD, assemble, canonicalRuns, encodeParts, signedLeb, type ChangeFields, type Id, type Row, type Runs
} from './encode.ts'

type Below = (n: number) => number

interface DecodedOp { action: string, obj: string, key?: string, elemId?: string, insert?: boolean }
interface Known { id: Id, action: string, object: string, key: string, insert: boolean }

/** What a maker of changes knows of a document. */
export interface World {
  heads: string[]
  actors: { id: string, seq: number }[]
  hashes: string[]
  maxOp: number
  operations: Known[]
}

const ROOT = '_root'

export function worldOf (doc: Automerge.Doc<unknown>): World {
  const world: World = { heads: [], actors: [], hashes: [], maxOp: 0, operations: [] }
  for (const change of Automerge.getAllChanges(doc)) extend(world, change)
  return world
}

/** Adds a change to what is known. */
export function extend (world: World, change: Uint8Array): void {
  const { actor, seq, startOp, deps, hash, ops } = Automerge.decodeChange(change)
  world.heads = [...world.heads.filter(head => !deps.includes(head)), hash!]
  world.hashes.push(hash!)
  world.maxOp = Math.max(world.maxOp, startOp + ops.length - 1)
  world.actors = [...world.actors.filter(({ id }) => id !== actor), { id: actor, seq }]
  for (const [n, op] of (ops as DecodedOp[]).entries()) {
    world.operations.push({
      id: [actor, startOp + n],
      action: op.action,
      object: op.obj,
      key: op.elemId ?? op.key ?? '',
      insert: op.insert ?? false
    })
  }
}

/** One of a list, or undefined. */
const oneOf = <T> (list: T[], below: Below): T | undefined => list[below(list.length)]
/** Mostly what it should be. */
const mostly = <T> (below: Below, right: () => T, wrong: () => T): T => below(25) > 0 ? right() : wrong()

/** Operations that fit the document, most of them. */
function randomRows (world: World, actor: string, startOp: number, below: Below): Row[] {
  const known = [...world.operations]
  const rows: Row[] = []
  const any = (): Id =>
    below(3) === 0 ? [oneOf(world.actors, below)!.id, 1 + below(world.maxOp + 4)] : oneOf(known, below)!.id
  for (let n = below(20) === 0 ? 30 + below(100) : 1 + below(5); n > 0; n--) {
    const objects = known.filter(({ action }) => action.startsWith('make'))
    const object = below(4) === 0 ? undefined : oneOf(objects, below)
    const name = object === undefined ? ROOT : `${object.id[1]}@${object.id[0]}`
    const inObject = known.filter(other => other.object === name)
    const isMap = object === undefined || object.action === 'makeMap'
    const row: Row = { action: 1, key: '' }
    const id: Id = [actor, startOp + rows.length]
    if (object !== undefined) row.object = mostly(below, () => object.id, any)
    const insert = mostly(below, () => !isMap && below(3) > 0, () => below(2) === 0)
    const elements = inObject.filter(({ insert }) => insert)
    if (mostly(below, () => isMap, () => !isMap)) {
      row.key = below(3) === 0
        ? oneOf(['a', 'b', 'new', '', 'ключ', '__proto__', 'text'], below)!
        : oneOf(inObject, below)?.key ?? 'k'
    } else {
      row.key = mostly<Row['key']>(
        below, () => (insert && below(4) === 0 ? undefined : oneOf(elements, below)?.id) ?? HEAD, any
      )
    }
    if (insert) row.insert = true
    row.action = mostly(
      below, () => insert ? [1, 1, 1, 1, 0, 2, 4][below(7)]! : [1, 1, 1, 3, 3, 0, 2, 4, 5][below(9)]!, () => below(9)
    )
    const about = Array.isArray(row.key) ? `${row.key[1]}@${row.key[0]}` : row.key
    if (!insert || below(30) === 0) {
      const candidates = inObject.filter(({ action, insert, id, key }) => action !== 'del' &&
        (insert ? `${id[1]}@${id[0]}` === about : key === about))
      const count = row.action === 3 || row.action === 5 ? 1 + below(2) : below(3)
      const chosen = Array.from({ length: count }, () => mostly(below, () => oneOf(candidates, below)?.id, any))
        .filter(id => id !== undefined)
      const preds = mostly(
        below,
        () => [...new Map(chosen.map(id => [String(id), id])).values()].sort(
          (a, b) => a[1] - b[1] || (a[0] < b[0] ? -1 : 1)
        ),
        () => chosen
      )
      if (preds.length > 0) row.preds = preds
    }
    if (row.action === 1 || row.action === 5 || below(30) === 0) {
      row.value = mostly(
        below,
        () => row.action === 5 ? [4, Uint8Array.from(signedLeb(below(20) - 10))] : randomValue(below),
        () => randomValue(below)
      )
    }
    if (!isMap && below(8) === 0) {
      rows.push({
        ...row,
        action: 7,
        insert: true,
        preds: [],
        markName: mostly(below, () => 'bold', () => ''),
        value: randomValue(below),
        expand: below(2) === 0,
        ...Array.isArray(row.key) || row.key === HEAD ? {} : { key: HEAD }
      })
      const key = mostly(below, () => oneOf([...elements.map(({ id }) => id), id], below)!, any)
      const { object } = rows.at(-1)!
      rows.push({ action: 7, insert: true, key, expand: below(2) === 0, ...object === undefined ? {} : { object } })
      for (const n of [2, 1]) {
        known.push({ id: [actor, startOp + rows.length - n], action: 'mark', object: name, key: '', insert: true })
      }
      continue
    }
    if (below(150) === 0) row.markName = 'stray'
    if (below(150) === 0) row.expand = true
    rows.push(row)
    known.push({
      id,
      action: ['makeMap', 'set', 'makeList', 'del', 'makeText', 'inc', 'makeTable', 'mark', '?'][row.action]!,
      object: name,
      key: about,
      insert
    })
  }
  return rows
}

function randomValue (below: Below): [number, Uint8Array] {
  const number = () => signedLeb((below(2) === 0 ? 1 : -1) * (below(3) === 0 ? 2 ** below(54) : below(200)))
  const right: (() => [number, Uint8Array])[] = [
    () => [0, new Uint8Array(0)], () => [1, new Uint8Array(0)], () => [2, new Uint8Array(0)],
    () => [3, Uint8Array.from(leb(below(3) === 0 ? 2 ** below(54) : below(300)))],
    () => [4, Uint8Array.from(number())], () => [5, new Uint8Array(new Float64Array([below(1000) / 3]).buffer)],
    () => [6, Buffer.from(['x', 'é', '😀', '', 'word'][below(5)]!)],
    () => [7, Uint8Array.from({ length: below(5) }, () => below(256))], () => [8, Uint8Array.from(number())],
    () => [9, Uint8Array.from(number())]
  ]
  if (below(40) > 0) return oneOf(right, below)!()
  return [
    below(16), below(2) === 0 ? Uint8Array.from({ length: below(12) }, () => below(256)) : oneOf(right, below)!()[1]
  ]
}

/** Encoders that make of the same values something else than Automerge makes. */
const otherRuns: Runs[] = [
  values => values.flatMap(value => value === undefined ? [0, 1] : [0x7f, ...value]),
  values => values.flatMap(value => value === undefined ? [0, 1] : [1, ...value]),
  values => values.includes(undefined)
    ? canonicalRuns(values)
    : [...signedLeb(-values.length), ...(values as number[][]).flat()],
  values => values.length < 2
    ? canonicalRuns(values)
    : [...canonicalRuns(values.slice(0, 1)), ...canonicalRuns(values.slice(1))],
  values => values.every(value => value === undefined) ? [0, ...leb(values.length)] : canonicalRuns(values),
  values => canonicalRuns([...values, values.at(-1)]),
  values => canonicalRuns(values.slice(0, -1)),
  values => [...canonicalRuns(values), 0, 1],
  values => [...canonicalRuns(values), 0, 0]
]

/** A change for a document: one that fits, more or less, and is damaged often. */
export function randomChange (world: World, below: Below): Uint8Array {
  const isNew = below(3) === 0
  const { id, seq } = isNew ? { id: ['00', 'ff', '7f'][below(3)]!.repeat(16), seq: 0 } : oneOf(world.actors, below)!
  const startOp = mostly(
    below, () => world.maxOp + 1, () => below(2) === 0 ? world.maxOp + below(5) : 1 + below(world.maxOp + 3)
  )
  const fields: ChangeFields = {
    deps: mostly(below, () => world.heads, () => Array.from({ length: below(3) }, () => oneOf(world.hashes, below)!)),
    actor: id,
    seq: mostly(below, () => seq + 1, () => below(seq + 3)),
    startOp,
    time: below(10),
    rows: randomRows(world, id, startOp, below)
  }
  const odd = below(14)
  const kind = below(6)
  const parts = encodeParts(
    fields,
    column => kind === 0 && [0x01, 0x02, 0x11, 0x13, 0x15, 0x42, 0x56, 0x70, 0x71, 0x73, 0xa5][odd] === column
      ? oneOf(otherRuns, below)!
      : canonicalRuns
  )
  if (kind === 1) {
    const columns = parts.columns
    for (let n = 1 + below(2); n > 0; n--) {
      const column = oneOf(columns, below)
      if (column !== undefined) {
        column[1] = [...mutate(Uint8Array.from(column[1]), Uint8Array.from(oneOf(columns, below)![1]), below)]
      }
    }
    if (below(3) > 0) parts.columns = columns.filter(([, bytes]) => bytes.length > 0)
  }
  if (kind === 2) {
    switch (below(4)) {
      case 0: parts.others = [...parts.others].reverse(); break
      case 1: parts.others = [...parts.others, oneOf(world.actors, below)!.id].sort(); break
      case 2: parts.others = parts.others.slice(1); break
      case 3: parts.columns.splice(below(parts.columns.length + 1), 1)
    }
  }
  return assemble(parts)
}
