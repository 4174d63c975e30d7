import * as Automerge from '@automerge/automerge'

// A process that tells whether Automerge can live with a change (see judge.ts). It is ended after the first one that it
// cannot: a panic leaves the WASM unusable.

export interface Case { base: Uint8Array, changes: Uint8Array[] }

type Doc = Automerge.Doc<Record<string, unknown>>

const text = (doc: Doc): string =>
  JSON.stringify(Automerge.toJS(doc), (key, value) => typeof value === 'bigint' ? `${value}n` : value)
const saved = (doc: Doc): Doc => Automerge.load(Automerge.save(doc))

function assertSame (a: Doc, b: Doc, what: string): void {
  if (String(Automerge.getHeads(a)) !== String(Automerge.getHeads(b))) throw new Error(`${what}: other heads`)
  if (text(a) !== text(b)) throw new Error(`${what}: ${text(a)} is not ${text(b)}`)
}

/** Syncs two documents as two peers do. */
function sync (a: Doc, b: Doc): [Doc, Doc] {
  let [ofA, ofB] = [Automerge.initSyncState(), Automerge.initSyncState()]
  for (let n = 0; n < 20; n++) {
    let message: Automerge.SyncMessage | null
    let quiet = true
    ;[ofA, message] = Automerge.generateSyncMessage(a, ofA)
    if (message !== null) {
      quiet = false
      ;[b, ofB] = Automerge.receiveSyncMessage(b, ofB, message)
    }
    ;[ofB, message] = Automerge.generateSyncMessage(b, ofB)
    if (message !== null) {
      quiet = false
      ;[a, ofA] = Automerge.receiveSyncMessage(a, ofA, message)
    }
    if (quiet) return [a, b]
  }
  throw new Error('syncing does not end')
}

/** An honest edit of whatever is there. */
function edit (doc: Doc): Doc {
  return Automerge.change(doc, { time: 0 }, d => {
    const walk = (value: unknown, path: (string | number)[], depth: number): void => {
      if (depth > 3 || typeof value !== 'object' || value === null ||
          value instanceof Date || value instanceof Uint8Array || Automerge.isImmutableString(value)) return
      if (Array.isArray(value)) {
        value.push('honest')
        if (value.length > 2) value.splice(0, 1)
      }
      for (const [key, part] of Object.entries(value).slice(0, 5)) {
        if (key === '') continue // which no client can set
        if (typeof part === 'string') {
          Automerge.splice(d, [...path, key], Math.min(1, part.length), Math.min(1, Math.max(part.length - 1, 0)), 'h')
        } else if (part instanceof Automerge.Counter) part.increment(1)
        else walk(part, [...path, Array.isArray(value) ? Number(key) : key], depth + 1)
      }
    }
    walk(d, [], 0)
    d['honest'] = 'edit'
  })
}

/** The document as a peer has it that knows what a change depends on and nothing else. */
function alone (all: Uint8Array[], change: Uint8Array): Doc {
  const byHash = new Map(all.map(one => [Automerge.decodeChange(one).hash!, one]))
  const past = new Set<Uint8Array>()
  const add = (one: Uint8Array): void => {
    if (past.has(one)) return
    for (const dep of Automerge.decodeChange(one).deps) add(byHash.get(dep)!)
    past.add(one)
  }
  add(change)
  past.delete(change)
  const [before] = Automerge.applyChanges(Automerge.init(), [...past]) as [Doc]
  const [doc] = Automerge.applyChanges(before, [change]) as [Doc]
  return doc
}

function judge ({ base, changes }: Case): void {
  const before: Doc = Automerge.load(base)
  let peer: Doc = Automerge.load(base)
  let [doc] = Automerge.applyChanges(Automerge.clone(before), changes) as [Doc]
  const hashes = changes.map(change => Automerge.decodeChange(change).hash!)
  if (!hashes.every(hash => Automerge.hasHeads(doc, [hash]))) throw new Error('not applied')
  assertSame(doc, saved(doc), 'saved and loaded')
  const [fresh] = Automerge.applyChanges(Automerge.init(), Automerge.getAllChanges(doc)) as [Doc]
  assertSame(doc, fresh, 'made anew')
  for (const change of changes) {
    const doc = alone(Automerge.getAllChanges(fresh), change)
    assertSame(doc, saved(doc), 'alone, saved and loaded')
  }
  peer = edit(peer) // concurrently
  ;[doc, peer] = sync(doc, peer)
  assertSame(doc, peer, 'synced')
  let late: Doc = Automerge.init()
  ;[doc, late] = sync(doc, late)
  assertSame(doc, late, 'synced from nothing')
  peer = edit(peer)
  assertSame(peer, saved(peer), 'edited, saved and loaded')
  ;[doc, peer] = sync(doc, peer)
  assertSame(doc, peer, 'edited and synced')
  Automerge.view(peer, hashes.slice(-1))
  for (const one of [before, peer, doc, fresh, late]) Automerge.free(one)
}

process.on('message', (one: Case) => {
  try {
    judge(one)
    process.send!({})
  } catch (error) {
    // WASM throws texts too
    process.send!({ problem: (error instanceof Error ? error.stack ?? error.message : String(error)).slice(0, 1_000) })
  }
})
