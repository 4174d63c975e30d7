import * as Automerge from '@automerge/automerge'
import type { Hash } from '../automerge/format/hash.ts'
import { loadable } from '../automerge/workers/loadable.ts'
import { RelayError, type RelayErrorCode } from '../errors.ts'
import { Editor } from './json/editor.ts'
import { isObject, parseJson, viewOf, type Json } from './json/json.ts'
import { diffJson } from './json/json-diff.ts'
import { applyJsonPatch } from './json/json-patch.ts'
import { JSON_PATCH, type PatchType } from './types.ts'

// Runs in a worker thread (see workers.ts): documents are opened here.

type Fields = Record<string, unknown>
type Doc = Automerge.Doc<Fields>

/** A change that is to be made. `base`: the heads of what it was thought up on; what came since is merged. */
export interface Edit {
  type: PatchType
  patch: Uint8Array
  actor: string
  message?: string | undefined
  base?: Hash[] | undefined
}

/** A change as history tells it. `time`: ISO 8601; null when its author told none. */
export interface HistoryEntry {
  hash: Hash
  actor: string
  seq: number
  time: string | null
  message: string | null
  deps: Hash[]
}

export interface HistoryPage { total: number, changes: HistoryEntry[] }

/** Loads a document, hands it over, frees it: Automerge's memory is not the garbage collector's. */
function withDocument<T> (chunks: Uint8Array[], use: (document: Doc) => T, actor?: string): T {
  const document = Automerge.load<Fields>(loadable(chunks), { actor })
  try {
    return use(document)
  } finally {
    Automerge.free(document)
  }
}

/** A document as it was. */
function at (document: Doc, heads: Hash[]): Doc {
  if (sameHeads(Automerge.getHeads(document), heads)) return document
  requireHeads(document, heads)
  return Automerge.view(document, heads)
}

function requireHeads (document: Doc, heads: Hash[]): void {
  if (!Automerge.hasHeads(document, heads)) {
    throw new RelayError('RELAY_HEADS_UNKNOWN', 'The document has no such heads')
  }
}

const sameHeads = (some: Hash[], sorted: Hash[]): boolean =>
  some.length === sorted.length && String([...some].sort()) === String(sorted)

const encoded = (json: unknown): Uint8Array => Buffer.from(JSON.stringify(json))

const jobs = {
  /** The JSON view at some heads, as text. */
  view: (chunks: Uint8Array[], heads: Hash[]): Uint8Array =>
    withDocument(chunks, document => encoded(viewOf(at(document, heads)))),

  /** The JSON Patch from the view at some heads to that at others, as text. */
  diff: (chunks: Uint8Array[], from: Hash[], to: Hash[]): Uint8Array => withDocument(chunks, document =>
    encoded(diffJson(viewOf(at(document, from)), viewOf(at(document, to))))),

  /** The changes up to some heads, the newest first. */
  history: (
    chunks: Uint8Array[], heads: Hash[], offset: number, limit: number
  ): HistoryPage => withDocument(chunks, document => {
    requireHeads(document, heads)
    const changes = upTo(heads, Automerge.getChangesMetaSince(document, []))
    return { total: changes.length, changes: changes.slice(offset, offset + limit).map(entryOf) }
  }),

  /** A new document that shows as this JSON. */
  create: (body: Uint8Array, message: string | undefined): Uint8Array => {
    const json = parseJson(body)
    if (!isObject(json)) throw new RelayError('RELAY_PATCH_INVALID', 'a document must be an object')
    const made = Automerge.change(Automerge.init<Fields>(), { message }, root => { new Editor(root).set([], json) })
    // a document without any change is none to peers
    const document = Automerge.getHeads(made).length > 0 ? made : Automerge.emptyChange(made, { message })
    try {
      return Automerge.save(document)
    } finally {
      Automerge.free(document)
    }
  },

  /** Makes a change: its chunk, null when there is nothing to change, and the heads that it was made on. */
  edit: (
    chunks: Uint8Array[], { type, patch, actor, message, base }: Edit
  ): { change: Uint8Array | null, heads: Hash[] } => withDocument(chunks, document => {
    const json = parseJson(patch)
    const heads = Automerge.getHeads(document)
    const edit = (root: Doc): void => { apply(new Editor(root), type, json) }
    if (base !== undefined) requireHeads(document, base)
    const changed = base === undefined
      ? Automerge.change(document, { message }, edit)
      : Automerge.changeAt(document, base, { message }, edit).newDoc
    return { change: Automerge.getChangesSince(changed, heads)[0] ?? null, heads: heads.sort() }
  }, actor)
}

function apply (editor: Editor, type: Edit['type'], patch: Json): void {
  if (type === JSON_PATCH) applyJsonPatch(editor, patch)
  else if (isObject(patch)) editor.merge([], patch)
  else throw new RelayError('RELAY_PATCH_INVALID', 'a merge patch of a document must be an object')
}

type Meta = ReturnType<typeof Automerge.getChangesMetaSince>[number]

/** The changes that heads stand for. What depends on another comes before it. */
function upTo (heads: Hash[], all: Meta[]): Meta[] {
  const byHash = new Map(all.map(meta => [meta.hash, meta]))
  const wanted = new Set(heads)
  for (const hash of wanted) for (const dep of byHash.get(hash)!.deps) wanted.add(dep)
  return all.filter(({ hash }) => wanted.has(hash))
    .sort((a, b) => b.startOp - a.startOp || b.maxOp - a.maxOp || b.seq - a.seq || (a.hash < b.hash ? -1 : 1))
}

function entryOf ({ hash, actor, seq, time, message, deps }: Meta): HistoryEntry {
  const date = new Date(time * 1_000)
  return {
    hash,
    actor,
    seq,
    time: time === 0 || Number.isNaN(date.getTime()) ? null : date.toISOString(),
    message,
    deps: [...deps].sort()
  }
}

export type Jobs = typeof jobs
export type Job = { [Name in keyof Jobs]: { name: Name, args: Parameters<Jobs[Name]> } }[keyof Jobs]
/** What was done, or why not: an error would lose its code on its way between threads. */
export type Outcome = { result: unknown } | { refused: { code: RelayErrorCode, message: string } }

export default function run (job: Job): Outcome {
  try {
    return { result: (jobs[job.name] as (...args: unknown[]) => unknown)(...job.args) }
  } catch (error) {
    Automerge.free(Automerge.init()) // throws when the WASM is dead
    if (!(error instanceof RelayError)) throw error
    return { refused: { code: error.code, message: error.message } }
  }
}
