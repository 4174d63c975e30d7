import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import { readDocument } from '../../../../lib/automerge/checks/document.ts'
import { readOperations } from '../../../../lib/automerge/format/operations.ts'
import { History } from '../../../../lib/sync/document/history.ts'
import { readStored } from '../../../../lib/sync/document/open-history.ts'
import { random, seeds } from '../../storage/disk.ts'

type Doc = Record<string, unknown>

const read = async (chunk: Uint8Array) => readDocument(chunk)
const hashes = (entries: ReadonlyArray<{ hash: string }> | undefined) => entries?.map(({ hash }) => hash).sort()

/** Adds a change as the relay does: placed, checked, added. */
function add (history: History, bytes: Uint8Array, from?: object) {
  const change = readChange(bytes)
  const place = history.place(change)
  if (place === 'new') {
    const operations = readOperations(change)
    history.check(change, operations)
    history.add(change, operations, bytes, from)
  }
  return place
}

/** A document that some edit at once and merge now and then, and all its changes in an order that fits. */
function branching (below: (n: number) => number, edits: number): Automerge.Doc<Doc> {
  const forks = Array.from({ length: 3 }, () => Automerge.init<Doc>())
  for (let n = 0; n < edits; n++) {
    const who = below(forks.length)
    forks[who] = Automerge.change(forks[who]!, { time: 0 }, d => { d[`key ${below(5)}`] = n })
    const other = below(forks.length)
    if (other !== who && below(3) === 0) forks[who] = Automerge.merge(forks[who]!, forks[other]!)
  }
  return forks.reduce((all, fork) => Automerge.merge(all, fork))
}

for (const seed of seeds(5)) {
  t.test(`what peers miss, change by change, is what Automerge says (seed ${seed})`, async t => {
    const document = branching(random(seed), 60)
    const changes = Automerge.getAllChanges(document)
    const history = new History()
    let part = Automerge.init<Doc>()
    const parts: Array<Automerge.Doc<Doc>> = [Automerge.clone(part)]
    for (const bytes of changes) {
      t.equal(add(history, bytes), 'new')
      t.equal(add(history, bytes), 'known')
      part = Automerge.applyChanges(part, [bytes])[0]
      parts.push(Automerge.clone(part))
      t.strictSame(history.heads, Automerge.getHeads(part).sort())
    }
    t.equal(history.version, changes.length)
    for (const [version, had] of parts.entries()) {
      const heads = Automerge.getHeads(had)
      t.strictSame(
        hashes(history.missing(heads)), Automerge.getChangesMetaSince(document, heads).map(({ hash }) => hash).sort()
      )
      t.strictSame(hashes(history.between(version)), hashes(changes.slice(version).map(bytes => readChange(bytes))))
    }
  })

  t.test(`what is stored is read as it was, whatever it is made of (seed ${seed})`, async t => {
    const below = random(seed)
    const document = branching(below, 40)
    const all = Automerge.getAllChanges(document)
    let early = Automerge.init<Doc>()
    for (const bytes of all.slice(0, 20)) early = Automerge.applyChanges(early, [bytes])[0]
    const shuffled = all.map(bytes => ({ bytes, at: below(1000) })).sort((a, b) => a.at - b.at)
      .map(({ bytes }) => bytes)
    const heads = Automerge.getHeads(document).sort()
    const next = Automerge.getLastLocalChange(Automerge.change(Automerge.clone(document), d => { d['next'] = true }))!
    for (const files of [
      [Automerge.save(document)], all, shuffled, [...shuffled, ...shuffled], [Buffer.concat(shuffled)],
      [Automerge.save(document), ...shuffled]
    ]) {
      const history = (await readStored(files, read))!
      t.strictSame(history.heads, heads)
      t.equal(add(history, next), 'new')
    }
    const apart = await readStored([Automerge.save(early), ...shuffled], read)
    if (apart !== undefined) t.strictSame(apart.heads, heads)
    t.equal(await readStored([Automerge.save(early), Automerge.save(document)], read), undefined, 'two documents are ' +
      'for Automerge')
    t.equal((await readStored([], read))!.isEmpty, true)
  })
}

t.test('old changes are forgotten beyond what is kept, and then it says so', async t => {
  let document = Automerge.from<Doc>({ n: 0 })
  const history = new History()
  const first = Automerge.getHeads(document)
  for (const bytes of Automerge.getAllChanges(document)) add(history, bytes)
  for (let n = 0; n < 5_000; n++) {
    document = Automerge.change(document, d => { d['n'] = n })
    add(history, Automerge.getLastLocalChange(document)!)
    history.trim(100)
  }
  t.equal(history.base, 100, 'what is still needed is kept')
  history.trim(history.version)
  t.ok(history.base >= 2_000 && history.base < history.version)
  t.equal(history.between(history.base - 1), undefined)
  t.equal(history.between(history.base)!.length, history.version - history.base)
  t.equal(history.missing(first), undefined)
  t.strictSame(history.missing(Automerge.getHeads(document)), [])
  for (let n = 0; n < 8_000; n++) {
    document = Automerge.change(document, d => { d['n'] = n })
    add(history, Automerge.getLastLocalChange(document)!)
    history.trim(history.version)
  }
  t.notOk(history.knows(first[0]!))
  const { newDoc: old } = Automerge.changeAt(document, first, d => { d['n'] = 'old' })
  t.equal(add(history, Automerge.getAllChanges(old).at(-1)!), 'unclear')
})

t.test('what does not fit is unclear, what cannot be is refused', async t => {
  const document = Automerge.from<Doc>({ n: 0 }, { actor: 'aa'.repeat(16) })
  const history = new History()
  for (const bytes of Automerge.getAllChanges(document)) add(history, bytes)
  const op = { action: 'set', obj: '_root', key: 'n', value: 1, pred: [] }
  const base = {
    actor: 'bb'.repeat(16), seq: 1, startOp: 10, deps: Automerge.getHeads(document), time: 0, message: null, ops: [op]
  }
  const place = (change: object) => add(history, Automerge.encodeChange({ ...base, ...change } as never))
  t.equal(place({ seq: 2 }), 'unclear', 'a gap')
  t.equal(place({ deps: ['00'.repeat(32)] }), 'unclear', 'a dependency that is not here')
  t.equal(place({ actor: 'aa'.repeat(16) }), 'unclear', 'a sequence number that was used')
  t.throws(() => place({ startOp: 1 }), { code: 'RELAY_SYNC_INVALID' })
  t.throws(() => place({ startOp: 2 ** 30 }), { code: 'RELAY_SYNC_INVALID' })
  t.throws(() => place({ ops: [{ ...op, obj: `7@${'aa'.repeat(16)}` }] }), { code: 'RELAY_DOCUMENT_INVALID' })
  t.equal(place({}), 'new')
})
