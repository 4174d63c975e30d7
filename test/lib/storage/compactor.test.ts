import t, { type Test } from 'tap'
import { createHash } from 'node:crypto'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as Automerge from '@automerge/automerge'
import { AutomergePool } from '../../../lib/automerge/workers/pool.ts'
import { silent } from '../../../lib/log.ts'
import { Compactor } from '../../../lib/storage/compactor.ts'
import { Damage } from '../../../lib/storage/damage.ts'
import { DocumentChunks } from '../../../lib/storage/document-chunks.ts'
import { FolderChunks } from '../../../lib/storage/local/folder-chunks.ts'
import { scratch } from '../../scratch.ts'
import { onEachOperation, systemError } from './disk.ts'
import { Original, chunksIn, copyTo, files, holds, noise, place, stock } from './stored.ts'

const automerge = new AutomergePool()
t.teardown(async () => { await automerge.close() })

async function open (t: Test, folder = '') {
  folder ||= await scratch(t)
  const storage = new DocumentChunks(new FolderChunks(folder))
  await storage.open()
  const errors: string[] = []
  const damage = new Damage(silent)
  const compactor = new Compactor(storage, damage, automerge, {
    ...silent,
    error: (_, message) => {
      errors.push(message)
    }
  })
  t.teardown(async () => { await compactor.close() })
  return { folder, storage, compactor, errors, damage }
}

/** A document with a snapshot and 15 incrementals: 16 files. */
function make (folder: string, bytes: number): Original {
  const original = new Original()
  original.change({ bytes: noise(bytes) })
  place(folder, original.id, 'snapshot', 'first', original.saved)
  for (let n = 1; n <= 15; n++) place(folder, original.id, 'incremental', `number-${n}`, original.change({ n }))
  return original
}

t.test('16 files become one, fewer stay', async t => {
  const { folder, storage, compactor, errors } = await open(t)
  const [many, few] = [make(folder, 0), make(folder, 0)]
  await storage.remove([few.id, 'incremental', 'number-15'])
  compactor.add(few.id)
  await compactor.add(many.id)
  t.strictSame(files(folder, few.id), [14, 1])
  t.strictSame(files(folder, many.id), [0, 1])
  t.same(await chunksIn(folder, many.id), [Buffer.from(many.saved)])
  t.strictSame(Automerge.getHeads(await stock(folder, many.id)), many.heads)
  t.strictSame(errors, [])
})

t.test('those of a document that is much larger are joined', async t => {
  const { folder, compactor } = await open(t)
  const large = make(folder, 10_000)
  const size = async () => Buffer.concat(await chunksIn(folder, large.id)).length
  const before = await size()
  await compactor.add(large.id)
  t.strictSame(files(folder, large.id), [1, 1])
  t.equal(await size(), before)
  t.ok(holds(await chunksIn(folder, large.id), large.heads))
  for (let n = 1; n <= 14; n++) {
    place(folder, large.id, 'incremental', `more-${n}`, large.change({ bytes: noise(1000) }))
  }
  await compactor.add(large.id)
  t.strictSame(files(folder, large.id), [0, 1], 'until they are as much as it is')
  for (let n = 1; n <= 15; n++) place(folder, large.id, 'snapshot', `another-${n}`, large.change({ [`n${n}`]: n }))
  place(folder, large.id, 'incremental', 'one', large.change({ n: 1 }))
  await compactor.add(large.id)
  t.strictSame(files(folder, large.id), [0, 1], 'many snapshots are made one')
  t.ok(holds(await chunksIn(folder, large.id), large.heads))
})

t.test('what comes while it is under way stays, and what it made is not removed for being there already', async t => {
  const { folder, compactor } = await open(t)
  const original = make(folder, 0)
  const before = original.saved
  const { stop } = await onEachOperation(t, async ({ name }, run) => {
    if (name === 'rename') {
      stop()
      place(folder, original.id, 'incremental', 'new', original.change({ new: true }))
    }
    return await run()
  })
  await compactor.add(original.id)
  t.strictSame(files(folder, original.id), [1, 1])
  t.ok(holds(await chunksIn(folder, original.id), original.heads))
  for (let n = 1; n <= 15; n++) place(folder, original.id, 'incremental', `again-${n}`, before)
  await compactor.add(original.id)
  await compactor.add(original.id)
  t.strictSame(files(folder, original.id), [0, 1])
  t.ok(holds(await chunksIn(folder, original.id), original.heads))
})

for (const [name, bytes] of [['made one', 0], ['joined', 5000]] as const) {
  t.test(`killed after any step of files being ${name}: everything is there`, async t => {
    const { folder, compactor } = await open(t)
    const original = make(folder, bytes)
    const to = await scratch(t)
    let last: Promise<unknown> = Promise.resolve()
    const copies: string[] = []
    const { stop } = await onEachOperation(t, async (_, run) => {
      last = last.then(run).then(result => {
        copies.push(copyTo(path.join(to, String(copies.length)), folder))
        return result
      })
      return await last
    })
    await compactor.add(original.id)
    stop()
    t.ok(copies.length > 30, `${copies.length} steps`)
    t.equal(Math.max(...files(folder, original.id)), 1)
    const wrong: string[] = []
    for (const copy of copies) if (!holds(await chunksIn(copy, original.id), original.heads)) wrong.push(copy)
    t.strictSame(wrong, [])
  })

  t.test(`EIO at any step of files being ${name}: everything is there, it says so, and the next time ` +
    'does it', async t => {
    const wrong: string[] = []
    let operations = Infinity
    for (let failing = 0; failing < operations; failing++) {
      const { folder, compactor, errors } = await open(t)
      const original = make(folder, bytes)
      let count = 0
      const { stop } = await onEachOperation(t, async (_, run) => {
        if (count++ === failing) throw systemError('EIO')
        return await run()
      })
      await compactor.add(original.id)
      stop()
      if (errors.length === 0) operations = failing // nothing was left to fail
      if (!holds(await chunksIn(folder, original.id), original.heads)) wrong.push(`${failing}: lost`)
      place(folder, original.id, 'incremental', 'one', original.change({ one: 1 }))
      for (let n = 1; n <= 15; n++) place(folder, original.id, 'incremental', `again-${n}`, original.change({ n: -n }))
      await compactor.add(original.id)
      if (Math.max(...files(folder, original.id)) > 1) wrong.push(`${failing}: not done`)
      if (!holds(await chunksIn(folder, original.id), original.heads)) wrong.push(`${failing}: lost the next time`)
    }
    t.strictSame(wrong, [])
    t.ok(operations > 30)
  })
}

t.test('what is damaged stays as it is, and what is whole is compacted', async t => {
  const bad: Record<string, (original: Original) => Uint8Array> = {
    empty: () => new Uint8Array(),
    torn: original => original.change({ torn: true }).subarray(0, 30),
    flipped: original => original.change({ flipped: true }).map((byte, n) => n === 40 ? byte ^ 1 : byte),
    'not Automerge': () => Buffer.from('not Automerge')
  }
  for (const [name, chunk] of Object.entries(bad)) {
    for (const bytes of [0, 10_000]) { // to be loaded, and joined
      const { folder, storage, compactor, errors, damage } = await open(t)
      const original = make(folder, bytes)
      const { heads } = original
      place(folder, original.id, 'incremental', 'number-0', chunk(original)) // in the middle of the others
      await compactor.add(original.id)
      t.strictSame(files(folder, original.id), bytes === 0 ? [1, 1] : [name === 'flipped' ? 1 : 2, 1], name)
      damage.suspect(original.id)
      const { whole, found } = damage.sift(original.id, await storage.load(original.id))
      t.ok(holds([...whole.map(({ data }) => data), ...found], heads), name)
      t.match(damage.of(original.id), /^incremental\//)
      t.strictSame(errors, [])
    }
  }
})

t.test('changes that wait for others are kept', async t => {
  const { folder, compactor, errors } = await open(t)
  const original = make(folder, 0)
  const lost = original.change({ lost: true })
  place(folder, original.id, 'incremental', 'number-0', original.change({ orphan: true }))
  await compactor.add(original.id)
  t.strictSame(errors, [])
  t.strictSame(files(folder, original.id), [0, 1])
  t.ok(holds([...await chunksIn(folder, original.id), lost], original.heads))
})

t.test('what Automerge cannot load stays as it is, which is said once', async t => {
  const { folder, compactor, errors } = await open(t)
  const [original, good] = [make(folder, 0), make(folder, 0)]
  // whole, with the right checksum, and no document
  const body = Buffer.from([0, 4, 1, 2, 3, 4])
  const checksum = createHash('sha256').update(body).digest().subarray(0, 4)
  place(folder, original.id, 'snapshot', 'nonsense', Buffer.concat([
    Buffer.from([0x85, 0x6f, 0x4a, 0x83]), checksum, body
  ]))
  const before = await chunksIn(folder, original.id)
  for (let n = 0; n < 3; n++) await compactor.add(original.id)
  await compactor.add(good.id)
  t.strictSame(await chunksIn(folder, original.id), before)
  t.match(errors, [/^document not compacted, its files stay as they are/])
  t.equal(errors.length, 1)
  t.strictSame(files(folder, good.id), [0, 1], 'the next one is compacted')
})

t.test('closing breaks off, whatever is under way', async t => {
  const { folder, compactor, errors } = await open(t)
  const originals = [make(folder, 0), make(folder, 0), make(folder, 0)]
  const large = new Original()
  for (let n = 0; n < 20; n++) large.change({ [n]: 'x'.repeat(1000), list: Array.from({ length: 3000 }, (_, n) => n) })
  for (let n = 0; n < 20; n++) place(folder, large.id, 'snapshot', String(n), large.saved)
  compactor.add(large.id)
  const done = Promise.all(originals.map(({ id }) => compactor.add(id)))
  await sleep(1) // it reads, or the worker has begun
  await compactor.close()
  await done
  await compactor.add(large.id)
  t.strictSame(errors, [])
  t.strictSame(files(folder, large.id), [0, 20])
  for (const { id } of originals) t.strictSame(files(folder, id), [15, 1])
})
