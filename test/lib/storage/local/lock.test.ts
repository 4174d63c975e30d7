import t, { type Test } from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { FolderLock, type FolderLockOptions } from '../../../../lib/storage/local/lock.ts'
import { scratch } from '../../../scratch.ts'
import { hold, noUnshare } from '../disk.ts'

const inUse = (by: string | RegExp) => ({ code: 'RELAY_STORAGE_FAILED', message: by })
const LOST = { code: 'RELAY_STORAGE_LOST' }
const noProc = existsSync('/proc/self/stat') ? false : 'no /proc here'
/** As on a network file system, where nobody else's process or socket can be seen. */
const SHARED: FolderLockOptions = { fileSystem: { name: 'NFS', isLocal: false }, beatInterval: 30, patience: 500 }

/** Takes a lock and gives it up with the test. */
async function take (t: Test, folder: string, options?: FolderLockOptions): Promise<FolderLock> {
  const lock = new FolderLock(folder, options)
  await lock.take()
  t.teardown(async () => { await lock.release() })
  return lock
}

const lockFolder = (folder: string): string => path.join(folder, 'lock.d')
const names = async (folder: string): Promise<string[]> => await readdir(lockFolder(folder))

/**
 * Has a lock folder say that a process of another machine had the folder, with or without signs of life, and without a
 * socket that is heard.
 */
async function claimedElsewhere (t: Test, { beats = true } = {}): Promise<string> {
  const folder = await scratch(t)
  await mkdir(lockFolder(folder))
  const owner = {
    pid: 1,
    started: '5',
    boot: 'another',
    namespace: 'pid:[1]',
    host: 'far',
    id: 'theirs',
    socket: '00112233aabb.sock',
    beats
  }
  await writeFile(path.join(lockFolder(folder), '7'), JSON.stringify(owner))
  return folder
}

interface Holder { said: string, signal: (name: NodeJS.Signals) => void, kill: () => Promise<void> }

/** A relay's process: takes the lock and says so, or says why not. */
async function holder (
  t: Test, folder: string, { wrap = [] as string[], options = {} as FolderLockOptions } = {}
): Promise<Holder> {
  const module = new URL('../../../../lib/storage/local/lock.ts', import.meta.url).href
  const program = `import(${JSON.stringify(module)}).then(async ({ FolderLock }) => {
    await new FolderLock(${JSON.stringify(folder)}, ${JSON.stringify(options)}).take()
    console.log('taken')
    setInterval(() => {}, 1000)
  }).catch(error => { console.log(error.message) })`
  const [command, ...rest] = [...wrap, process.execPath, '--import', 'tsx', '-e', program]
  const child = spawn(command!, rest, { env: { ...process.env, NODE_OPTIONS: '' } })
  t.teardown(() => { child.kill('SIGKILL') })
  const [said] = await once(child.stdout, 'data')
  return {
    said: String(said).trim(),
    signal (name) { child.kill(name) },
    async kill () {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    }
  }
}

t.test('one at a time in a process, also by another path', async t => {
  const folder = path.join(await scratch(t), 'new', 'storage')
  const link = path.join(await scratch(t), 'link')
  const lock = await take(t, folder)
  await symlink(folder, link)
  for (const place of [folder, `${folder}/../storage`, link]) {
    await t.rejects(new FolderLock(place).take(), inUse('in use by another relay of this process'))
  }
  await t.resolves(lock.check())
  await lock.release()
  t.strictSame(await names(folder), ['1.free'], 'the number stays')
  const next = await take(t, folder)
  t.equal(next.token, 2)
  t.strictSame((await names(folder)).filter(name => !name.endsWith('.sock')), ['2'])
})

t.test('another process: refused while it runs, also stopped, taken over at once when it was killed', async t => {
  const folder = await scratch(t)
  const first = await holder(t, folder)
  t.equal(first.said, 'taken')
  const { pid } = JSON.parse(await readFile(path.join(lockFolder(folder), '1'), 'utf8'))
  await t.rejects(
    new FolderLock(folder).take(), inUse(`storage ${folder}: in use by process ${pid}, says ${folder}/lock.d`)
  )
  first.signal('SIGSTOP')
  await t.rejects(new FolderLock(folder).take(), inUse(`in use by process ${pid}`))
  await first.kill()
  const lock = await take(t, folder)
  t.equal(lock.token, 2)
  t.equal((await names(folder)).length, 2, 'what the first has left is gone')
  t.match((await holder(t, folder)).said, `in use by process ${process.pid}`)
  await lock.release()
  t.equal((await holder(t, folder)).said, 'taken')
})

t.test('a process of another container is seen, where each is process 1', { skip: noUnshare }, async t => {
  const folder = await scratch(t)
  const wrap = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', '--net', '--uts']
  const first = await holder(t, folder, { wrap })
  t.equal(first.said, 'taken')
  t.match((await holder(t, folder, { wrap })).said, 'in use by process 1 of ')
  await t.rejects(new FolderLock(folder).take(), inUse('in use by process 1 of '))
  await first.kill()
  t.equal((await holder(t, folder, { wrap })).said, 'taken')
})

t.test('of several that start at once, one takes the folder', async t => {
  for (let round = 0; round < 20; round++) {
    const folder = round % 2 === 0 ? await scratch(t) : await claimedElsewhere(t, { beats: false })
    const taken = await Promise.allSettled(Array.from({ length: 4 }, () => take(t, folder)))
    t.equal(taken.filter(({ status }) => status === 'fulfilled').length, 1)
    for (const result of taken) if (result.status === 'rejected') t.match(result.reason, inUse('in use by'))
  }
})

t.test('who stood still while others came and went takes nothing by an old look', async t => {
  const folder = await scratch(t)
  await (await take(t, folder)).release()
  const { held, release } = await hold(t, 'open') // has looked, and is about to claim number 2
  const late = new FolderLock(folder)
  const taking = late.take()
  while (held() === 0) await new Promise(setImmediate)
  await rename(path.join(lockFolder(folder), '1.free'), path.join(lockFolder(folder), '3.free')) // 2 and 3 have had it
  release()
  await taking
  t.equal(late.token, 4)
  await late.release()
})

t.test('a folder with a path that is longer than the address of a socket', async t => {
  const folder = path.join(await scratch(t), 'long'.repeat(40))
  const lock = await take(t, folder)
  await t.rejects(new FolderLock(folder).take(), inUse('in use by another relay of this process'))
  t.ok((await names(folder)).some(name => name.endsWith('.sock')))
  await lock.release()
  t.strictSame(await names(folder), ['1.free'])
})

t.test('a claim of another machine on a network file system: refused while it gives signs of life, then ' +
  'taken', async t => {
  const folder = await claimedElsewhere(t)
  const claim = path.join(lockFolder(folder), '7')
  let beats = 0
  const beating = setInterval(() => {
    writeFile(claim, JSON.stringify({ host: 'far', pid: 1, beats: true, alive: ++beats }))
  }, 100)
  t.teardown(() => { clearInterval(beating) })
  await t.rejects(new FolderLock(folder, SHARED).take(), inUse('in use by process 1 of far'))
  clearInterval(beating)
  const lock = await take(t, folder, SHARED)
  t.equal(lock.token, 8)
  await t.resolves(lock.check())
})

t.test('a lock on a network file system gives signs of life', async t => {
  const folder = await scratch(t)
  await take(t, folder, SHARED)
  const claim = path.join(lockFolder(folder), '1')
  const text = await readFile(claim, 'utf8')
  while (await readFile(claim, 'utf8') === text) await new Promise(resolve => { setTimeout(resolve, 10) })
  // not seen from elsewhere
  for (const name of await names(folder)) if (name.endsWith('.sock')) await rm(path.join(lockFolder(folder), name))
  await t.rejects(new FolderLock(folder, SHARED).take(), inUse('in use by another relay of this process'))
})

t.test('a process of this machine that was killed frees a folder on a network file system at once', {
  skip: noProc
}, async t => {
  const folder = await scratch(t)
  const first = await holder(t, folder, { options: SHARED })
  t.equal(first.said, 'taken')
  await first.kill()
  await take(t, folder, { ...SHARED, patience: 600_000 })
})

t.test('an owner that can only be seen from its own machine is not taken for gone', async t => {
  const folder = await claimedElsewhere(t, { beats: false })
  await t.rejects(new FolderLock(folder, SHARED).take(), inUse(
    /process 1 of far, which cannot be seen from here; if it is gone, delete .*lock\.d/
  ))
  await rm(lockFolder(folder), { recursive: true })
  await take(t, folder, SHARED)
})

t.test('who has lost the folder is told at its next look, and for ever', async t => {
  for (const options of [{}, SHARED]) {
    const folder = await scratch(t)
    const lock = await take(t, folder, options)
    await t.resolves(lock.check())
    await rm(lockFolder(folder), { recursive: true })
    const next = await take(t, folder, options)
    t.equal(next.token, 1, 'the same number, and the same name')
    await t.rejects(lock.check(), LOST)
    t.match(await lock.lost, LOST)
    await lock.release()
    await t.resolves(next.check(), 'which the first has not given up')
    await next.release()
    await t.rejects(lock.check(), LOST)
  }
})

t.test('a folder that was moved away is lost, too', async t => {
  const folder = path.join(await scratch(t), 'storage')
  const lock = await take(t, folder)
  await rename(folder, `${folder}-moved`)
  await t.rejects(lock.check(), LOST)
})

t.test('a claim that says nothing is waited for, whatever it is', async t => {
  for (const text of ['', '\n', 'null', '[]', '{}', '{"pid":1', '{"socket":"../../etc/passwd"}', '\0'.repeat(4096)]) {
    const folder = await scratch(t)
    await mkdir(lockFolder(folder))
    await writeFile(path.join(lockFolder(folder), '3'), text)
    for (const name of ['not-a-claim', '4x', '-1', '5.free.', '0123456789abcdef']) {
      await writeFile(path.join(lockFolder(folder), name), '')
    }
    const lock = await take(t, folder, { patience: 50 })
    t.equal(lock.token, 4, JSON.stringify(text.slice(0, 20)))
  }
})

t.test('the lock of earlier versions: a file with the process and its start', { skip: noProc }, async t => {
  const stat = await readFile('/proc/self/stat', 'utf8')
  const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  const startOf = (stat: string): string => stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  t.teardown(() => { other.kill('SIGKILL') })
  await once(other, 'spawn')
  const started = startOf(await readFile(`/proc/${other.pid}/stat`, 'utf8'))
  await t.rejects(new FolderLock(await scratch(t, { lock: `${other.pid} ${started}@${boot}\n` })).take(), inUse(
    `in use by process ${other.pid}`
  ))
  for (const text of [
    `${other.pid} ${Number(started) - 1}@${boot}\n`, `${process.pid} ${startOf(stat)}@${boot}\n`, '', 'not a lock',
    '1 -'
  ]) {
    const folder = await scratch(t, { lock: text })
    if (text === '1 -') {
      await t.rejects(
        new FolderLock(folder).take(), inUse('in use by process 1'), 'it runs, and that is all that is known'
      )
    } else {
      await take(t, folder)
      t.strictSame(await readdir(folder), ['lock.d'], text)
    }
  }
})

t.test('a folder that cannot be had is told by its path', async t => {
  const folder = await scratch(t, { file: '' })
  const file = path.join(folder, 'file')
  await t.rejects(new FolderLock(file).take(), {
    code: 'RELAY_STORAGE_FAILED', message: new RegExp(`^storage ${file}: `)
  })
  await writeFile(lockFolder(folder), '')
  await t.rejects(new FolderLock(folder).take(), { code: 'RELAY_STORAGE_FAILED', message: /EEXIST/ })
  if (process.getuid?.() === 0) return // may write anywhere
  const locked = await scratch(t)
  await chmod(locked, 0o555)
  await t.rejects(new FolderLock(locked).take(), { code: 'RELAY_STORAGE_FAILED', message: /EACCES/ })
})
