import { parentPort } from 'node:worker_threads'
import * as Automerge from '@automerge/automerge'
import { copyOf, isMap, viewOf, type Json } from '../../documents/json/json.ts'
import { diffJson } from '../../documents/json/json-diff.ts'
import { applyJsonPatch } from '../../documents/json/json-patch.ts'
import { Editor } from '../../documents/json/editor.ts'
import { codeOf, messageOf } from '../../errors.ts'
import type { JobAnswer } from '../../threads/job-thread.ts'
import { BLANK, ITEM_FIELDS, NOT_OPEN } from './item.ts'
import type { Fields } from './rule.ts'

// Feed documents are opened here, in a thread of its own: one job after the other.

/** A change of a document. Values are JSON; their strings are stored as strings that nobody edits. */
export type Edit =
  { type: 'put', key: string, item: Fields } |
  { type: 'blank', key: string } |
  { type: 'set', path: readonly string[], value: string | number }

/** What a document says of itself. */
export interface Opened {
  heads: string[]
  last: number
  items: Array<{ key: string, number: number, isBlank: boolean }>
}

type Root = Record<string, unknown>
type Doc = Automerge.Doc<Root>

const MAX_OPEN = 8
const open = new Map<string, Doc>()

function keep (id: string, document: Doc): void {
  open.delete(id)
  open.set(id, document)
  for (const [oldest, one] of open) {
    if (open.size <= MAX_OPEN) break
    open.delete(oldest)
    Automerge.free(one)
  }
}

function storable (value: unknown): unknown {
  if (typeof value === 'string') return new Automerge.ImmutableString(value)
  if (Array.isArray(value)) return value.map(storable)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, storable(one)]))
  }
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? new Automerge.Float64(value as number) : value
}

/** The map under a key, made where there is none. What somebody has put there instead has to go. */
function mapIn (parent: Root, key: string): Root {
  if (!isMap(parent[key])) parent[key] = {}
  return parent[key] as Root
}

function edit (root: Root, one: Edit): void {
  if (one.type === 'set') {
    const parent = one.path.slice(0, -1).reduce(mapIn, root)
    const key = one.path.at(-1)!
    if (viewOf(parent[key]) !== one.value) parent[key] = storable(one.value)
    return
  }
  const items = mapIn(root, 'items')
  if (one.type === 'put') {
    const item = mapIn(items, one.key)
    for (const [key, value] of Object.entries(one.item)) item[key] = storable(value)
    delete item[BLANK]
  } else if (isMap(items[one.key])) {
    const item = items[one.key] as Root
    if (item[BLANK] === true) return
    for (const key of ITEM_FIELDS) delete item[key]
    item[BLANK] = true
  }
}

function opened (id: string): Doc {
  const document = open.get(id)
  if (document === undefined) throw new Error(NOT_OPEN)
  return document
}

const jobs = {
  /** Opens what is stored of a document, in place of what is open; none makes a new one. */
  open (id: string, chunk: Uint8Array | null): Opened {
    const before = open.get(id)
    if (before !== undefined) Automerge.free(before)
    open.delete(id)
    const document = chunk === null ? Automerge.init<Root>() : Automerge.load<Root>(chunk)
    keep(id, document)
    const items = Object.entries(isMap(document['items']) ? document['items'] : {})
      .filter((entry): entry is [string, Root] => isMap(entry[1]))
    return {
      heads: Automerge.getHeads(document).sort(),
      last: typeof document['last'] === 'number' ? document['last'] : 0,
      items: items.map(([key, item]) => ({
        key, number: typeof item['number'] === 'number' ? item['number'] : 0, isBlank: item[BLANK] === true
      }))
    }
  },

  /** Makes one change of all edits: its chunk, none when nothing is to be changed. */
  change (id: string, edits: readonly Edit[]): { change: Uint8Array | null, heads: string[] } {
    const document = opened(id)
    const heads = Automerge.getHeads(document)
    const changed = Automerge.change(document, { message: 'feed' }, root => {
      for (const one of edits) {
        edit(root, one)
      }
    })
    keep(id, changed)
    return { change: Automerge.getChangesSince(changed, heads)[0] ?? null, heads: Automerge.getHeads(changed).sort() }
  },

  /**
   * A document anew, without its history: its items but for those that are blank, and whatever else is in it. Of a
   * blank item what its readers have written beside it stays. @returns as `Automerge.save` gives it
   */
  renew (chunk: Uint8Array): { saved: Uint8Array, heads: string[] } {
    const old = Automerge.load<Root>(chunk)
    const heads = Automerge.getHeads(old)
    const made = Automerge.change(Automerge.init<Root>(), { message: 'feed' }, root => {
      for (const [key, value] of Object.entries(old)) {
        if (key === 'movedTo') continue
        if (key !== 'items' || !isMap(value)) root[key] = copyOf(value)
        else {
          root[key] = Object.fromEntries(
            Object.entries(value).filter(([, item]) => !isEmpty(item)).map(([uri, item]) => [uri, copyOf(item)])
          )
        }
      }
    })
    const saved = Automerge.save(made)
    Automerge.free(old)
    Automerge.free(made)
    return { saved, heads }
  },

  /**
   * What was written into an old document since some heads, as a change of a new one, which must be open.
   * @returns the change, null when there is nothing; and what could not be carried although its place is there
   */
  carry (from: Uint8Array, since: string[], to: string): { change: Uint8Array | null, failed: string[] } {
    const old = Automerge.load<Root>(from)
    const view = (document: Doc): Json => {
      const { movedTo, last, ...rest } = viewOf(document) as Record<string, Json>
      return rest
    }
    const operations = diffJson(view(Automerge.view(old, since)), view(old))
    Automerge.free(old)
    const document = opened(to)
    const heads = Automerge.getHeads(document)
    let changed = document
    const failed: string[] = []
    for (const operation of operations) {
      try {
        changed = Automerge.change(changed, { message: 'feed' }, root => {
          applyJsonPatch(new Editor(root), [operation] as unknown as Json)
        })
      } catch (error) {
        // it is about what was blanked, and is not there any more
        if (codeOf(error) === 'RELAY_PATCH_CONFLICT') continue
        failed.push(`${operation.op} ${operation.path}: ${messageOf(error)}`)
      }
    }
    keep(to, changed)
    return { change: joined(Automerge.getChangesSince(changed, heads)), failed }
  },

  close (id: string): void {
    const document = open.get(id)
    if (document !== undefined) Automerge.free(document)
    open.delete(id)
  }
}

const isEmpty = (item: unknown): boolean => isMap(item) && item[BLANK] === true && Object.keys(item).length === 1

function joined (changes: Uint8Array[]): Uint8Array | null {
  return changes.length === 0 ? null : Buffer.concat(changes)
}

export type Jobs = typeof jobs
export type Job = { [Name in keyof Jobs]: { name: Name, args: Parameters<Jobs[Name]> } }[keyof Jobs]

parentPort?.on('message', ({ name, args }: Job) => {
  let answer: JobAnswer
  try {
    answer = { value: (jobs[name] as (...args: unknown[]) => unknown)(...args) }
  } catch (error) {
    Automerge.free(Automerge.init()) // throws when the WASM is dead, and ends the thread
    answer = { error: messageOf(error) }
  }
  parentPort?.postMessage(answer)
})
