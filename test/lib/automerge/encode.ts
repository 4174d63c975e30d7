import { leb } from '../../fuzz.ts'
import { seal } from './changes.ts'

/** An operation's id: an actor, hexadecimal, and a counter. */
export type Id = [actor: string, counter: number]

/** An operation as a test makes it; anything goes. */
export interface Row {
  action: number
  object?: Id
  /** A key, an element, or the start of a list. */
  key: string | Id | 'HEAD'
  insert?: boolean
  value?: [type: number, bytes: Uint8Array]
  preds?: Id[]
  expand?: boolean
  markName?: string
}

export interface ChangeFields {
  deps: string[]
  actor: string
  seq: number
  startOp: number
  time?: number
  message?: string
  rows: Row[]
}

export const HEAD = 'HEAD'

/** A run-length encoder: from values (undefined is none) to bytes. */
export type Runs = (values: (number[] | undefined)[]) => number[]

/** Signed LEB128 of a safe integer. */
export function signedLeb (value: number): number[] {
  const low = ((value % 0x80) + 0x80) % 0x80
  const rest = Math.floor(value / 0x80)
  return (rest === 0 && low < 0x40) || (rest === -1 && low >= 0x40) ? [low] : [low | 0x80, ...signedLeb(rest)]
}

const same = (a: number[] | undefined, b: number[] | undefined): boolean =>
  String(a) === String(b) && (a === undefined) === (b === undefined)

/** As Automerge does it: runs of two and more, literals between, nothing when there is nothing. */
export const canonicalRuns: Runs = values => {
  if (values.every(value => value === undefined)) return []
  const out: number[] = []
  let literal: number[][] = []
  const flush = () => {
    if (literal.length > 0) out.push(...signedLeb(-literal.length), ...literal.flat())
    literal = []
  }
  for (let at = 0; at < values.length;) {
    let end = at + 1
    while (end < values.length && same(values[at], values[end])) end++
    const value = values[at]
    if (value === undefined) {
      flush()
      out.push(0, ...leb(end - at))
    } else if (end - at > 1) {
      flush()
      out.push(...signedLeb(end - at), ...value)
    } else literal.push(value)
    at = end
  }
  flush()
  return out
}

function flags (values: boolean[]): number[] {
  const out: number[] = []
  for (let at = 0, value = false; at < values.length; value = !value) {
    let end = at
    while (end < values.length && values[end] === value) end++
    out.push(...leb(end - at))
    at = end
  }
  return out
}

function deltas (values: (number | undefined)[]): (number[] | undefined)[] {
  let last = 0
  return values.map(value => {
    if (value === undefined) return undefined
    const delta = value - last
    last = value
    return signedLeb(delta)
  })
}

const bytesOf = (text: string): number[] => [...Buffer.from(text)]
const text = (value: string): number[] => [...leb(Buffer.byteLength(value)), ...bytesOf(value)]
const isId = (key: Row['key']): key is Id => Array.isArray(key)

/** The other actors that rows refer to, in order. */
function othersIn (rows: Row[], author: string): string[] {
  const ids = rows.flatMap(({ object, key, preds = [] }) => [
    ...object === undefined ? [] : [object], ...isId(key) ? [key] : [], ...preds
  ])
  return [...new Set(ids.map(([actor]) => actor))].filter(actor => actor !== author).sort()
}

/** The contents of a change in parts, each of which a test may swap for another. */
export interface Parts { header: number[], others: string[], columns: [specification: number, bytes: number[]][] }

/** @param runs the encoder of the n-th column */
export function encodeParts (
  { deps, actor, seq, startOp, time = 0, message = '', rows }: ChangeFields,
  runs: (column: number) => Runs = () => canonicalRuns
): Parts {
  const others = othersIn(rows, actor)
  const actors = [actor, ...others]
  const index = (id: Id | undefined): number[] | undefined => id && leb(Math.max(actors.indexOf(id[0]), 0))
  const preds = rows.flatMap(({ preds = [] }) => preds)
  const values = rows.map(({ value: [type, bytes] = [0, new Uint8Array(0)] }) => ({ type, bytes }))
  const rle = (column: number, list: (number[] | undefined)[]): [number, number[]] => [column, runs(column)(list)]
  const elements = rows.map(({ key }) => isId(key) ? key : undefined)
  const marked = rows.some(({ expand }) => expand)
  const columns: [number, number[]][] = [
    rle(0x01, rows.map(({ object }) => index(object))),
    rle(0x02, rows.map(({ object }) => object && leb(object[1]))),
    rle(0x11, elements.map(index)),
    rle(0x13, deltas(rows.map(({ key }) => isId(key) ? key[1] : key === HEAD ? 0 : undefined))),
    rle(0x15, rows.map(({ key }) => isId(key) || key === HEAD ? undefined : text(key))),
    [0x34, flags(rows.map(({ insert = false }) => insert))],
    rle(0x42, rows.map(({ action }) => leb(action))),
    rle(0x56, values.map(({ type, bytes }) => leb(bytes.length * 16 + type))),
    [0x57, values.flatMap(({ bytes }) => [...bytes])],
    rle(0x70, rows.map(({ preds = [] }) => leb(preds.length))),
    rle(0x71, preds.map(index)),
    rle(0x73, deltas(preds.map(([, counter]) => counter))),
    [0x94, marked ? flags(rows.map(({ expand = false }) => expand)) : []],
    rle(0xa5, rows.map(({ markName }) => markName === undefined ? undefined : text(markName)))
  ]
  const header = [
    ...leb(deps.length), ...deps.flatMap(hash => [...Buffer.from(hash, 'hex')]),
    ...leb(actor.length / 2), ...Buffer.from(actor, 'hex'), ...leb(seq), ...leb(startOp), ...signedLeb(time),
    ...text(message)
  ]
  return { header, others, columns: columns.filter(([, bytes]) => bytes.length > 0) }
}

/** The chunk of a change made of parts. */
export function assemble ({ header, others, columns }: Parts): Buffer {
  return seal(1, Uint8Array.from([
    ...header,
    ...leb(others.length), ...others.flatMap(actor => [...leb(actor.length / 2), ...Buffer.from(actor, 'hex')]),
    ...leb(columns.length),
    ...columns.flatMap(([specification, bytes]) => [...leb(specification), ...leb(bytes.length)]),
    ...columns.flatMap(([, bytes]) => bytes)
  ]))
}

export const encodeChange = (fields: ChangeFields): Buffer => assemble(encodeParts(fields))
