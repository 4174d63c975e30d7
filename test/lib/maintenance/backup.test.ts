import { AsyncLocalStorage } from 'node:async_hooks'
import { createReadStream, createWriteStream } from 'node:fs'
import { appendFile, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import t, { type Test } from 'tap'
import tar from 'tar-stream'
import { backUp } from '../../../lib/maintenance/backup.ts'
import { restore } from '../../../lib/maintenance/restore.ts'
import { scratch } from '../../scratch.ts'
import { limitFileSize, noPrlimit, onEachOperation, random, seeds, systemError } from '../storage/disk.ts'
import { Original, copyTo, holds, noise, open, stock } from '../storage/stored.ts'

/** A folder with documents in files and in the journal, a bundle and other things, whose relay still runs. */
async function filled (t: Test) {
  const { documents, folder, close } = await open(t)
  const [folded, young] = [new Original(), new Original()]
  await documents.append(folded.id, folded.saved)
  await documents.append(folded.id, folded.change({ a: 1 }))
  await documents.fold()
  await documents.append(folded.id, folded.change({ b: 2 }))
  await documents.append(young.id, young.saved)
  await mkdir(path.join(folder, 'bundles'))
  await writeFile(path.join(folder, 'bundles', `${folded.id}.tonk`), noise(200_000))
  await writeFile(path.join(folder, 'bundles', `${folded.id}.owner`), 'ann')
  await mkdir(path.join(folder, 'owned', 'somebody'), { recursive: true })
  await writeFile(path.join(folder, 'owned', 'somebody', folded.id), '')
  await writeFile(path.join(folder, 'bundles', '.put-half'), 'on its way')
  await writeFile(path.join(folder, 'blank.tonk'), '')
  await mkdir(path.join(folder, 'merged'))
  await writeFile(path.join(folder, 'merged', folded.id), 'etag')
  return { documents, folder, close, originals: [folded, young] }
}

for (const target of ['copy', 'copy.tar']) {
  t.test(`${target}: all that is stored, beside the one who uses it, and back`, async t => {
    const { documents, folder, originals } = await filled(t)
    const place = path.join(await scratch(t), 'kept', target)
    const summary = await backUp({ storage: folder, bundles: folder, target: place })
    t.match(summary, { documents: 2, bundles: 1 })
    t.strictSame(await readdir(path.dirname(place)), [target])
    const storage = path.join(await scratch(t), 'new')
    const restored = await restore({ source: place, storage, bundles: storage })
    t.match(restored, { files: summary.files, createdAt: /^20\d\d-/ })
    const names = (await readdir(storage)).filter(name => name.length > 2).sort()
    t.strictSame(
      names,
      ['blank.tonk', 'bundles', 'lock.d', 'owned'],
      'no journal or marks; the lock is that of restoring, given up'
    )
    t.equal(
      await readFile(path.join(storage, 'bundles', `${originals[0]!.id}.owner`), 'utf8'),
      'ann',
      'it is still somebody’s'
    )
    t.strictSame(await readdir(path.join(storage, 'owned', 'somebody')), [originals[0]!.id], 'and counted as that')
    t.same(await readFile(path.join(storage, 'bundles', `${originals[0]!.id}.tonk`)), await readFile(path.join(
      folder, 'bundles', `${originals[0]!.id}.tonk`
    )))
    for (const { id, heads } of originals) {
      t.strictSame(
        Object.keys((await stock(copyTo(await scratch(t), storage), id)) ?? {}).length > 0 && heads.length, 1
      )
    }
    const { documents: again } = await open(t, { folder: storage })
    t.equal(again.id, documents.id)
    for (const { id, heads } of originals) t.ok(holds(await again.chunks(id), heads))
  })
}

t.test('what has been deleted stays deleted in a backup, whether its files are gone by then or not', async t => {
  const { documents, folder } = await open(t)
  const [gone, young, stays] = [new Original(), new Original(), new Original()]
  for (const { id, saved } of [gone, young, stays]) await documents.append(id, saved)
  await documents.remove(gone.id)
  await documents.fold()
  await documents.remove(young.id)
  const source = path.join(await scratch(t), 'copy')
  t.match(await backUp({ storage: folder, bundles: folder, target: source }), { documents: 1 })
  const storage = path.join(await scratch(t), 'new')
  await restore({ source, storage, bundles: storage })
  const { documents: again } = await open(t, { folder: storage })
  for (const { id } of [gone, young]) await t.rejects(again.chunks(id), { code: 'RELAY_DOCUMENT_DELETED' })
  t.ok(holds(await again.chunks(stays.id), stays.heads))
})

for (const seed of seeds(6)) {
  t.test(`whatever is stored, folded and compacted between any two of its operations, ${seed}`, async t => {
    const { documents, folder } = await open(t)
    const pick = random(seed)
    const originals = [new Original(), new Original(), new Original()]
    for (const { id, saved } of originals) await documents.append(id, saved)
    const acknowledged = originals.map(({ heads }) => heads)
    const ofTheBackup = new AsyncLocalStorage<boolean>()
    let inside = false
    let done = 0
    const meddle = async (): Promise<void> => {
      inside = true
      done++
      const original = originals[pick(3)]!
      const change = original.change({ [`k${done}`]: done })
      if (pick(4) === 0) await documents.put(original.id, original.saved)
      else if (pick(6) === 0) await documents.put(original.id, change) // depends on what may be in the journal only
      else await documents.append(original.id, change)
      if (pick(3) === 0) await documents.fold()
      if (pick(5) === 0) await documents.compact(original.id)
      inside = false
    }
    const meddling = await onEachOperation(t, async (_operation, run) => {
      if (ofTheBackup.getStore() === true && !inside && pick(3) === 0) await ofTheBackup.run(false, meddle)
      return await run()
    })
    const place = path.join(await scratch(t), 'copy')
    await ofTheBackup.run(true, () => backUp({ storage: folder, bundles: folder, target: place }))
    meddling.stop()
    t.ok(done > 5, `${done} times`)
    const storage = await scratch(t)
    await restore({ source: place, storage, bundles: storage })
    const { documents: again } = await open(t, { folder: storage })
    for (const [n, { id }] of originals.entries()) {
      t.ok(holds(await again.chunks(id), acknowledged[n]!), 'what was acknowledged before')
      await t.resolves(again.compact(id), 'and nothing without what it depends on')
    }
  })
}

t.test('what a killed relay left is backed up too, up to where it is torn', async t => {
  const { folder, originals } = await filled(t)
  const left = copyTo(path.join(await scratch(t), 'left'), folder)
  const [segment] = (await readdir(path.join(left, 'journal'))).sort().slice(-1)
  await appendFile(path.join(left, 'journal', segment!), Buffer.of(99, 0, 0, 0, 1, 2))
  const place = path.join(await scratch(t), 'copy.tar')
  await backUp({ storage: left, bundles: left, target: place })
  const storage = await scratch(t)
  await restore({ source: place, storage, bundles: storage })
  const { documents } = await open(t, { folder: storage })
  for (const { id, heads } of originals) t.ok(holds(await documents.chunks(id), heads))
})

t.test('a disk that is full leaves nothing', async t => {
  const { folder } = await filled(t)
  const kept = await scratch(t)
  const full = await onEachOperation(t, async ({ name }, run) => {
    if (name === 'handle.appendFile') throw systemError('ENOSPC')
    return await run()
  })
  await t.rejects(backUp({ storage: folder, bundles: folder, target: path.join(kept, 'copy') }), {
    code: 'RELAY_STORAGE_FAILED', message: /ENOSPC/
  })
  t.strictSame(await readdir(kept), [])
  const storage = await scratch(t)
  full.stop()
  await backUp({ storage: folder, bundles: folder, target: path.join(kept, 'copy') })
  const fullAgain = await onEachOperation(t, async ({ name }, run) => {
    if (name === 'handle.appendFile') throw systemError('ENOSPC')
    return await run()
  })
  await t.rejects(restore({ source: path.join(kept, 'copy'), storage, bundles: storage }), {
    code: 'RELAY_STORAGE_FAILED', message: /ENOSPC/
  })
  t.strictSame(await readdir(storage), ['lock.d'], 'which was given up, and is not in the way of the next try')
  fullAgain.stop()
})

t.test('an archive that becomes too large for its disk leaves nothing', { skip: noPrlimit }, async t => {
  const { folder } = await filled(t)
  const kept = await scratch(t)
  const { lift } = limitFileSize(t, 100_000)
  await t.rejects(backUp({ storage: folder, bundles: folder, target: path.join(kept, 'copy.tar') }), {
    code: 'RELAY_STORAGE_FAILED'
  })
  lift()
  t.strictSame(await readdir(kept), [])
})

for (const target of ['copy', 'copy.tar']) {
  t.test(`${target}: of two at once one is made, and whole`, async t => {
    const { folder } = await filled(t)
    const kept = await scratch(t)
    const place = path.join(kept, target)
    const results = await Promise.allSettled([1, 2].map(async () => await backUp({
      storage: folder, bundles: folder, target: place
    })))
    t.strictSame(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
    t.match(results.find(({ status }) => status === 'rejected'), {
      reason: {
        code: /RELAY_(STORAGE_FAILED|BAD_OPTION)/, message: /in use by another relay of this process|is there already/
      }
    })
    t.strictSame(await readdir(kept), [target])
    const storage = path.join(await scratch(t), 'new')
    t.match(await restore({ source: place, storage, bundles: storage }), { files: Number })
  })
}

t.test('of two restores into one folder at once one is made', async t => {
  const { folder } = await filled(t)
  const source = path.join(await scratch(t), 'copy')
  await backUp({ storage: folder, bundles: folder, target: source })
  const storage = path.join(await scratch(t), 'new')
  const results = await Promise.allSettled([1, 2].map(async () => await restore({ source, storage, bundles: storage })))
  t.strictSame(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.match(results.find(({ status }) => status === 'rejected'), { reason: { message: /in use by|is not empty/ } })
  t.ok((await readdir(storage)).includes('bundles'))
})

t.test('nothing is written over', async t => {
  const { folder } = await filled(t)
  const kept = await scratch(t, { 'file.tar': 'something', folder: null })
  await writeFile(path.join(kept, 'folder', 'file'), '')
  for (const name of ['file.tar', 'folder']) {
    await t.rejects(backUp({ storage: folder, bundles: folder, target: path.join(kept, name) }), {
      code: 'RELAY_BAD_OPTION', message: /is there already/
    })
  }
  await t.rejects(backUp({ storage: path.join(kept, 'nowhere'), bundles: folder, target: path.join(kept, 'x') }), {
    code: 'RELAY_BAD_OPTION', message: /ENOENT/
  })
  await backUp({ storage: folder, bundles: folder, target: path.join(kept, 'good') })
  await t.rejects(restore({ source: path.join(kept, 'good'), storage: folder, bundles: folder }), {
    code: 'RELAY_BAD_OPTION', message: /not empty/
  })
  await t.rejects(restore({ source: path.join(kept, 'good'), storage: path.join(kept, 'new'), bundles: folder }), {
    code: 'RELAY_BAD_OPTION', message: /not empty/
  })
})

t.test('what is no whole backup is not restored', async t => {
  const { folder, originals } = await filled(t)
  const bundle = path.join('bundles', `${originals[0]!.id}.tonk`)
  const spoiled: Record<string, [message: RegExp, spoil: (copy: string) => Promise<unknown>]> = {
    cut: [/not whole: it has no SHA256SUMS/, async copy => { await rm(path.join(copy, 'SHA256SUMS')) }],
    foreign: [/no backup.json/, async copy => { await rm(path.join(copy, 'backup.json')) }],
    garbage: [/not JSON/, async copy => { await writeFile(path.join(copy, 'backup.json'), '{') }],
    newer: [/format 2/, async copy => { await writeFile(path.join(copy, 'backup.json'), '{"format":2}') }],
    changed: [/damaged: bundles\//, async copy => { await appendFile(path.join(copy, bundle), 'x') }],
    missing: [/not whole: bundles\/.* is missing/, async copy => { await rm(path.join(copy, bundle)) }],
    more: [/which was not backed up/, async copy => { await writeFile(path.join(copy, 'bundles', 'more'), '') }],
    link: [/no file/, async copy => { await symlink('/etc/passwd', path.join(copy, 'link')) }]
  }
  for (const [name, [message, spoil]] of Object.entries(spoiled)) {
    const copy = path.join(await scratch(t), name)
    await backUp({ storage: folder, bundles: folder, target: copy })
    await spoil(copy)
    const storage = await scratch(t)
    await t.rejects(restore({ source: copy, storage, bundles: storage }), { code: 'RELAY_BAD_OPTION', message }, name)
    t.strictSame((await readdir(storage)).filter(name => name !== 'lock.d'), [], name)
  }
  await t.rejects(
    restore({ source: path.join(folder, 'nowhere'), storage: await scratch(t), bundles: await scratch(t) }),
    { message: /there is no/ }
  )
})

t.test('an archive leads nowhere else', async t => {
  const archive = async (header: { name: string, type?: 'symlink', linkname?: string }): Promise<string> => {
    const file = path.join(await scratch(t), 'evil.tar')
    const pack = tar.pack()
    pack.entry(header as tar.Header, header.type === undefined ? 'x' : '')
    pack.finalize()
    await pipeline(pack, createWriteStream(file))
    return file
  }
  for (const header of [
    { name: '../evil' }, { name: 'a/../../evil' }, { name: 'a//b' }, { name: '.' }, { name: 'a\\..\\b' },
    { name: 'x'.repeat(300) },
    { name: 'a/b/c/d/e/f/g' }, { name: 'link', type: 'symlink', linkname: '/etc' } as const
  ]) {
    const storage = await scratch(t)
    await t.rejects(
      restore({ source: await archive(header), storage, bundles: storage }),
      { code: 'RELAY_BAD_OPTION', message: /not a backup/ },
      header.name
    )
    t.strictSame((await readdir(storage)).filter(name => name !== 'lock.d'), [])
  }
  const { folder } = await filled(t)
  const whole = path.join(await scratch(t), 'copy.tar')
  await backUp({ storage: folder, bundles: folder, target: whole })
  const short = path.join(await scratch(t), 'short.tar')
  await pipeline(createReadStream(whole, { end: 100_000 }), createWriteStream(short))
  await t.rejects(restore({ source: short, storage: await scratch(t), bundles: await scratch(t) }), {
    code: 'RELAY_BAD_OPTION', message: /not a backup|not whole/
  })
})
