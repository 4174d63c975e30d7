import t from 'tap'
import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Heads } from '@automerge/automerge'
import { AutomergePool } from '../../../lib/automerge/workers/pool.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { silent } from '../../../lib/log.ts'
import type { ChangeRecord } from '../../../lib/storage/change-log.ts'
import { Documents } from '../../../lib/storage/stored-documents.ts'
import { Journal } from '../../../lib/storage/local/journal.ts'
import { scratch } from '../../scratch.ts'
import { onEachOperation, random, seeds } from './disk.ts'
import { UnkindDisk } from './power-cut.ts'
import { Original, chunksIn, holds } from './stored.ts'

const noProc = existsSync('/proc/self/fd') ? false : 'no /proc here'
const automerge = new AutomergePool()
t.teardown(async () => { await automerge.close() })

/** What the next relay would find of a document. */
async function find (folder: string, id: DocumentId): Promise<Uint8Array[]> {
  const left: ChangeRecord[] = []
  await new Journal({ folder: path.join(folder, 'journal'), durability: 'fsync', log: silent }).open(record => {
    left.push(record)
  })
  return [
    ...await chunksIn(folder, id),
    ...left.filter(record => record.id === id && record.chunk === undefined).map(({ changes }) => changes)
  ]
}

for (const seed of seeds(2)) {
  t.test(`the power fails after any step: what was acknowledged is there (seed ${seed})`, { skip: noProc }, async t => {
    const below = random(seed)
    const root = await scratch(t)
    const images = path.join(root, 'images')
    const base = path.join(root, 'base')
    mkdirSync(images)
    mkdirSync(base)
    const disk = new UnkindDisk(base)
    const folder = path.join(base, 'storage') // made by the relay itself

    const acknowledged = new Map<DocumentId, Heads>()
    const taken: Array<{ image: string, acknowledged: Array<[DocumentId, Heads]> }> = []
    let last: Promise<unknown> = Promise.resolve()
    const { stop } = await onEachOperation(t, async (operation, run) => {
      const turn = last.then(run)
      last = turn.then(() => {
        disk.ran(operation)
        const image = path.join(images, String(taken.length))
        mkdirSync(image)
        // every other one with nothing that was not synced, the rest with more or less of it
        const kept = taken.length % 2 === 0 ? 0 : below(100)
        taken.push({
          image: path.join(disk.image(path.join(image, 'disk'), () => below(100) < kept), 'storage'),
          acknowledged: [...acknowledged]
        })
      }, () => {})
      await last
      return await turn
    })

    const documents = new Documents({ folder, durability: 'fsync', automerge, log: silent })
    await documents.open()
    const originals = [new Original(), new Original(), new Original()]
    const storing = async (original: Original, store: (chunk: Uint8Array) => Promise<void>, chunk: Uint8Array) => {
      const { heads } = original
      await store(chunk)
      acknowledged.set(original.id, heads)
    }
    for (const original of originals) {
      await storing(original, chunk => documents.append(original.id, chunk), original.saved)
    }
    for (let n = 0; n < 6; n++) {
      const some = originals.slice(0, 1 + below(3))
      await Promise.all(some.map(original => storing(
        original, chunk => documents.append(original.id, chunk), original.change({ n })
      )))
      const one = originals[below(3)]!
      if (below(6) === 0) await storing(one, chunk => documents.put(one.id, chunk), one.saved)
      const folding = documents.fold()
      if (below(2) === 0) await storing(one, chunk => documents.append(one.id, chunk), one.change({ during: n }))
      await folding
    }
    await documents.close()
    stop()

    const wrong: string[] = []
    for (const { image, acknowledged } of taken) {
      for (const [id, heads] of acknowledged) {
        const found = await find(image, id).then(chunks => holds(chunks, heads)).catch(String)
        if (found !== true) wrong.push(`${image}: ${id}: ${found}`)
      }
    }
    t.strictSame(wrong.slice(0, 10), [])
    t.ok(taken.length > 150, `${taken.length} steps`)
  })
}
