import t, { type Test } from 'tap'
import { fstatSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder, syncFolder, writeAtomic } from '../../../lib/objects/atomic-file.ts'
import { scratch } from '../../scratch.ts'
import { onEachOperation, systemError } from '../storage/disk.ts'

/** Has every fsync of a folder fail. */
async function failFolders (t: Test, code: string): Promise<void> {
  await onEachOperation(t, async ({ name, handle }, run) => {
    if (name === 'handle.sync' && fstatSync(handle!.fd).isDirectory()) throw systemError(code)
    return await run()
  })
}

t.test('where folders cannot be synced, files are written all the same, and that is said once', async t => {
  const warnings: Array<Error & { code?: string }> = []
  const listen = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', listen)
  t.teardown(() => { process.off('warning', listen) })
  for (const code of ['EINVAL', 'ENOTSUP', 'ENOSYS', 'EBADF']) {
    await t.test(code, async t => {
      const folder = await scratch(t)
      await failFolders(t, code)
      await makeFolder(path.join(folder, 'a', 'b'))
      await writeAtomic(path.join(folder, 'a', 'b', 'c'), Buffer.from('there'), folder)
      t.equal(await readFile(path.join(folder, 'a', 'b', 'c'), 'utf8'), 'there')
    })
  }
  await new Promise(setImmediate)
  t.match(warnings.filter(({ code }) => code === 'RELAY_FOLDER_NOT_SYNCED'), { length: 1, 0: { message: /EINVAL/ } })
})

t.test('a disk that fails is no such file system', async t => {
  for (const code of ['EIO', 'ENOSPC', 'EROFS', 'EDQUOT']) {
    await t.test(code, async t => {
      const folder = await scratch(t)
      await failFolders(t, code)
      await t.rejects(syncFolder(folder), { code })
      await t.rejects(writeAtomic(path.join(folder, 'file'), Buffer.from('x'), folder), { code })
      t.notOk((await readdir(folder)).some(name => name !== 'file'), 'no temporary is left')
    })
  }
})

t.test('a folder that is not there', async t => {
  await t.rejects(syncFolder(path.join(await scratch(t), 'gone')), { code: 'ENOENT' })
})
