import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { FolderLock } from '../../../../lib/storage/local/lock.ts'
import { scratch } from '../../../scratch.ts'
import { onEachOperation } from '../disk.ts'

const inUse = (by: string | RegExp) => ({ code: 'RELAY_STORAGE_FAILED', message: by })
const noProc = existsSync('/proc/self/stat') ? false : 'no /proc here'

/** Takes a lock and gives it up with the test. */
async function take (t: Test, folder: string): Promise<FolderLock> {
  const lock = new FolderLock(folder)
  await lock.take()
  t.teardown(async () => { await lock.release() })
  return lock
}

/** A process of another program that does nothing; when it is told, nothing of it is left. */
async function sleeper (t: Test): Promise<{ pid: number, kill: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  t.teardown(() => { child.kill('SIGKILL') })
  await once(child, 'spawn')
  return {
    pid: child.pid!,
    async kill () {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

/** A relay's process: takes the lock and says so, or says why not. */
async function holder (t: Test, folder: string): Promise<{ said: string, kill: () => Promise<void> }> {
  const module = new URL('../../../../lib/storage/local/lock.ts', import.meta.url).href
  const program = `import(${JSON.stringify(module)}).then(async ({ FolderLock }) => {
    await new FolderLock(${JSON.stringify(folder)}).take()
    console.log('taken')
    setInterval(() => {}, 1000)
  }).catch(error => { console.log(error.message) })`
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', program], { env: { ...process.env, NODE_OPTIONS: '' } })
  t.teardown(() => { child.kill('SIGKILL') })
  const [said] = await once(child.stdout, 'data')
  return {
    said: String(said).trim(),
    async kill () {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
}

t.test('one at a time in a process, also by another path', async t => {
  const folder = path.join(await scratch(t), 'new', 'storage')
  const lock = await take(t, folder)
  t.match(await readFile(path.join(folder, 'lock'), 'utf8'), new RegExp(`^${process.pid} `))
  await t.rejects(new FolderLock(folder).take(), inUse(`storage ${folder}: in use by another relay of this process`))
  await t.rejects(new FolderLock(`${folder}/../storage`).take(), inUse('in use by another relay of this process'))
  await lock.release()
  t.strictSame(await readdir(folder), [])
  await take(t, folder)
})

t.test('by a link, or a second copy of this module, it is still in use', { skip: noProc }, async t => {
  const folder = await scratch(t)
  const link = path.join(await scratch(t), 'link')
  await symlink(folder, link)
  await take(t, folder)
  await t.rejects(new FolderLock(link).take(), inUse('in use by another relay of this process'))
})

t.test('another process: refused while it runs, taken over when it was killed', async t => {
  const folder = await scratch(t)
  const first = await holder(t, folder)
  t.equal(first.said, 'taken')
  const owner = (await readFile(path.join(folder, 'lock'), 'utf8')).split(' ')[0]
  await t.rejects(new FolderLock(folder).take(), inUse(`storage ${folder}: in use by process ${owner}, says ${folder}/lock`))
  t.match((await holder(t, folder)).said, `in use by process ${owner}`)
  await first.kill()
  const lock = await take(t, folder)
  t.match((await holder(t, folder)).said, `in use by process ${process.pid}`)
  await lock.release()
  t.equal((await holder(t, folder)).said, 'taken')
})

t.test('a pid that is another process’s by now', { skip: noProc }, async t => {
  const other = await sleeper(t)
  const [boot, stat] = [await readFile('/proc/sys/kernel/random/boot_id', 'utf8'), await readFile(`/proc/${other.pid}/stat`, 'utf8')]
  const started = Number(stat.split(') ')[1]!.split(' ')[19])
  const folder = (text: string) => scratch(t, { lock: text })
  await t.rejects(new FolderLock(await folder(`${other.pid} ${started}@${boot}`)).take(), inUse(`in use by process ${other.pid}`))
  await t.rejects(new FolderLock(await folder(`${other.pid} -`)).take(), inUse(`in use by process ${other.pid}`), 'where starts cannot be seen, that it runs is enough')
  await take(t, await folder(`${other.pid} ${started - 1}@${boot}`))
  await take(t, await folder(`${other.pid} ${started}@00000000-0000-0000-0000-000000000000`))
  await take(t, await folder(`${process.pid} ${started}@${boot}`)) // in a container: the pid is the same each time
  await take(t, await folder(`${process.pid} -`))
})

t.test('a lock file that is garbage is nobody’s', async t => {
  for (const text of ['', '\n', '-1 -', '0 0', '1.5 x', 'not a lock', '99999999999999999999 1@2', `${2 ** 31 - 1} -`, '\0'.repeat(4096)]) {
    const folder = await scratch(t, { lock: text })
    await take(t, folder)
    t.strictSame(await readdir(folder), ['lock'], JSON.stringify(text.slice(0, 20)))
  }
})

t.test('of several that find a stale lock, one takes the folder', async t => {
  for (let round = 0; round < 20; round++) {
    const folder = await scratch(t, { lock: '1 stale' })
    // as if each were a process of its own: by paths that the list of this process's locks does not know to be one
    const roots = await Promise.all([0, 1, 2].map(async () => {
      const link = path.join(await scratch(t), 'link')
      await symlink(folder, link)
      return link
    }))
    const taken = await Promise.allSettled(roots.map(root => new FolderLock(root).take()))
    t.ok(taken.filter(({ status }) => status === 'fulfilled').length <= 1)
    for (const result of taken) if (result.status === 'rejected') t.equal(result.reason.code, 'RELAY_STORAGE_FAILED')
  }
})

t.test('what another process puts there while a stale lock is looked at is not removed', async t => {
  const folder = await scratch(t, { lock: '1 stale' })
  const { stop } = await onEachOperation(t, async ({ name }, run) => {
    if (name === 'rename') {
      stop()
      await writeFile(path.join(folder, 'lock'), 'theirs')
    }
    return await run()
  })
  await t.rejects(new FolderLock(folder).take(), inUse('in use by a process that just started'))
  t.strictSame(await readdir(folder), ['lock'])
  t.equal(await readFile(path.join(folder, 'lock'), 'utf8'), 'theirs')
})

t.test('a lock that is somebody else’s by now is not given up for them', async t => {
  const folder = await scratch(t)
  const lock = new FolderLock(folder)
  await lock.take()
  await writeFile(path.join(folder, 'lock'), 'theirs')
  await lock.release()
  t.equal(await readFile(path.join(folder, 'lock'), 'utf8'), 'theirs')
})

t.test('a folder that cannot be had is told by its path', async t => {
  const folder = await scratch(t, { file: '' })
  const file = path.join(folder, 'file')
  await t.rejects(new FolderLock(file).take(), { code: 'RELAY_STORAGE_FAILED', message: new RegExp(`^storage ${file}: `) })
  await mkdir(path.join(folder, 'lock'))
  await t.rejects(new FolderLock(folder).take(), { code: 'RELAY_STORAGE_FAILED', message: /EISDIR/ })
  if (process.getuid?.() === 0) return // may write anywhere
  const locked = await scratch(t)
  await chmod(locked, 0o555)
  await t.rejects(new FolderLock(locked).take(), { code: 'RELAY_STORAGE_FAILED', message: /EACCES/ })
})
