import t, { type Test } from 'tap'
import path from 'node:path'
import { scratch } from '../../scratch.ts'
import { onEachOperation, systemError } from './disk.ts'
import { Original, chunksIn, copyTo, holds, journalOf, open } from './stored.ts'

interface Step { run: () => Promise<unknown>, n: number, folder: string }

/**
 * Folds a new document and one that is stored, while more is appended.
 * @param each runs each operation on files, one after the other
 */
async function foldStepwise (t: Test, each: (step: Step) => Promise<unknown>) {
  const { documents, folder, close } = await open(t)
  const [stored, fresh] = [new Original(), new Original()]
  await documents.put(stored.id, stored.saved)
  for (const original of [stored, fresh]) {
    await documents.append(original.id, original === fresh ? original.saved : original.change({ a: 1 }))
    await documents.append(original.id, original.changeAtOnce({ a: 2 }, { b: 2 }))
  }
  const acknowledged = [stored, fresh].map(({ id, heads }) => ({ id, heads }))
  let last: Promise<unknown> = Promise.resolve()
  let operations = 0
  const { stop } = await onEachOperation(t, async (_, run) => {
    const step = (): Promise<unknown> => each({ run, n: operations++, folder })
    last = last.then(step, step)
    return await last
  })
  const [folded] = await Promise.allSettled([documents.fold(), documents.append(stored.id, stored.change({ c: 3 }))])
  stop()
  return { documents, folder, close, operations, folded, acknowledged, originals: [stored, fresh] }
}

t.test('killed after any step of a fold: the next process finds everything', async t => {
  const to = await scratch(t)
  const copies: string[] = []
  const { acknowledged, close } = await foldStepwise(t, async ({ run, n, folder }) => {
    const result = await run()
    copies.push(copyTo(path.join(to, String(n)), folder))
    return result
  })
  await close()
  t.ok(copies.length > 20, `${copies.length} steps`)
  const wrong: string[] = []
  for (const copy of copies) {
    const { documents, close } = await open(t, { folder: copy })
    for (const { id, heads } of acknowledged) {
      if (!holds(await documents.chunks(id), heads)) wrong.push(`${copy}: opened`)
    }
    await close()
    if (journalOf(copy).length > 0) wrong.push(`${copy}: has a journal`)
    for (const { id, heads } of acknowledged) if (!holds(await chunksIn(copy, id), heads)) wrong.push(`${copy}: closed`)
  }
  t.strictSame(wrong, [])
})

for (const code of ['EIO', 'ENOSPC']) {
  t.test(`${code} at any step of a fold: nothing is lost, and the next fold does it`, async t => {
    const wrong: string[] = []
    const { operations } = await foldStepwise(t, ({ run }) => run())
    let failed = 0
    for (let failing = 0; failing < operations; failing++) {
      const { documents, folder, close, folded, originals } = await foldStepwise(t, async ({ run, n }) => {
        if (n === failing) throw systemError(code)
        return await run()
      })
      if (folded.status === 'rejected') failed++
      for (const { id, heads } of originals) {
        if (!holds(await documents.chunks(id), heads)) wrong.push(`${failing}: not found`)
      }
      await documents.fold()
      if (documents.failure !== undefined || documents.backlog > 0) wrong.push(`${failing}: still failing`)
      await close()
      if (journalOf(folder).length > 0) wrong.push(`${failing}: has a journal`)
      for (const { id, heads } of originals) {
        if (!holds(await chunksIn(folder, id), heads)) wrong.push(`${failing}: lost`)
      }
    }
    t.strictSame(wrong, [])
    t.ok(failed > operations / 2, `${failed} of ${operations} made the fold fail`)
  })
}
