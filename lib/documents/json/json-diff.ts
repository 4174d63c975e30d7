import { isObject, type Json, type JsonObject } from './json.ts'
import { pointerTo } from './json-pointer.ts'

/** An operation of a JSON Patch (RFC 6902), as far as they are made here. */
export type PatchOperation = { op: 'add' | 'replace', path: string, value: Json } | { op: 'remove', path: string }

/** The JSON Patch that makes one value the other. Lists are compared from both ends. */
export function diffJson (before: Json, after: Json): PatchOperation[] {
  const operations: PatchOperation[] = []
  diff(before, after, '', operations)
  return operations
}

function diff (before: Json, after: Json, pointer: string, operations: PatchOperation[]): void {
  if (Array.isArray(before) && Array.isArray(after)) diffLists(before, after, pointer, operations)
  else if (isObject(before) && isObject(after)) diffObjects(before, after, pointer, operations)
  else if (before !== after) operations.push({ op: 'replace', path: pointer, value: after })
}

function diffObjects (before: JsonObject, after: JsonObject, pointer: string, operations: PatchOperation[]): void {
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) operations.push({ op: 'remove', path: pointerTo(pointer, key) })
  }
  for (const [key, value] of Object.entries(after)) {
    const there = pointerTo(pointer, key)
    if (Object.hasOwn(before, key)) diff(before[key]!, value, there, operations)
    else operations.push({ op: 'add', path: there, value })
  }
}

function diffLists (before: Json[], after: Json[], pointer: string, operations: PatchOperation[]): void {
  const both = Math.min(before.length, after.length)
  let start = 0
  while (start < both && equal(before[start]!, after[start]!)) start++
  let end = 0
  while (end < both - start && equal(before[before.length - 1 - end]!, after[after.length - 1 - end]!)) end++
  for (let n = start; n < both - end; n++) diff(before[n]!, after[n]!, pointerTo(pointer, n), operations)
  for (let n = before.length - end - 1; n >= both - end; n--) {
    operations.push({ op: 'remove', path: pointerTo(pointer, n) })
  }
  for (let n = both - end; n < after.length - end; n++) {
    operations.push({ op: 'add', path: pointerTo(pointer, n), value: after[n]! })
  }
}

function equal (one: Json, other: Json): boolean {
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length && one.every((value, n) => equal(value, other[n]!))
  }
  if (!isObject(one)) return one === other
  if (!isObject(other)) return false
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length &&
    keys.every(key => Object.hasOwn(other, key) && equal(one[key]!, other[key]!))
}
