import { existsSync } from 'node:fs'
import { readdir, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { client, until, urlOf } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { run, urlIn, type Exit } from './executable.ts'

const command = async (t: Test, ...argv: string[]): Promise<Exit> => await run(t, argv).exit

t.test('a backup beside a running relay, killed in the middle and made again, then restored, checked and ' +
  'served', async t => {
  const [storage, kept] = [await scratch(t), await scratch(t)]
  const relay = run(t, ['0', '--storage', storage])
  const url = urlIn(await relay.ready())
  const handle = client(t, url.replace('http', 'ws')).create<{ n: number }>({ n: 0 })
  handle.change(doc => { doc.n = 1 })
  const stat = async (): Promise<{ documents: number }> =>
    JSON.parse((await command(t, 'stat', '--json', '--storage', storage)).stdout)
  await until(async () => (await stat()).documents >= 2) // the blank bundle's and this one
  await writeFile(path.join(storage, 'large'), '')
  await truncate(path.join(storage, 'large'), 4 * 2 ** 30) // takes no room, and its copy some seconds

  const target = path.join(kept, 'backup.tar')
  const killed = run(t, ['backup', target, '--storage', storage])
  await Promise.race([until(() => existsSync(`${target}.partial`)), killed.exit])
  killed.child.kill('SIGKILL')
  t.equal((await killed.exit).signal, 'SIGKILL')
  t.strictSame(await readdir(kept), ['backup.tar.partial'], 'what is not whole has not its name')
  await rm(path.join(storage, 'large'))

  t.match(await command(t, 'backup', target, '--storage', storage), {
    code: 0, stdout: /^\d+ documents and \d+ bundles, .*backup\.tar\n$/, stderr: ''
  })
  t.strictSame(await readdir(kept), ['backup.tar'])
  t.match(await command(t, 'backup', target, '--storage', storage), {
    code: 1, stderr: /tonk-relay: .* is there already/
  })
  t.match(await command(t, 'restore', target, '--storage', storage), { code: 1, stderr: /not empty/ })
  t.match(await command(t, 'check', '--repair', '--storage', storage), { code: 1, stderr: /in use by process/ })
  t.match(await command(t, 'check', '--storage', storage), { code: 0, stdout: /0 findings/ })

  const restored = path.join(kept, 'restored')
  t.match(await command(t, 'restore', target, '--storage', restored), { code: 0, stdout: /files, as they were at/ })
  t.match(await command(t, 'check', '--storage', restored, '--json'), { code: 0, stdout: /"findings":\[\]/ })
  t.match(await command(t, 'stat', '--storage', restored), { code: 0, stdout: /^storage .*\ndocuments \d/ })
  const again = urlIn(await run(t, ['0', '--storage', restored]).ready())
  const found = await client(t, again.replace('http', 'ws')).find<{ n: number }>(urlOf(handle.documentId))
  t.equal(found.doc().n, 1)
})

t.test('a check tells by its exit code, and repairs', async t => {
  const storage = await scratch(t)
  const relay = run(t, ['0', '--storage', storage])
  await relay.ready()
  relay.child.kill('SIGTERM')
  await relay.exit
  await writeFile(path.join(storage, 'bundles', '4NMNnkMhL8jXrdJ9jamS58PAVdXu.tonk'), 'no bundle')
  t.match(await command(t, 'check', '--storage', storage), { code: 2, stdout: /^bundle 4NMN.*Invalid bundle/ })
  t.match(await command(t, 'check', '--repair', '--storage', storage), {
    code: 0, stdout: /set aside in damaged\/bundles/
  })
  t.match(await command(t, 'check', '--storage', storage), { code: 0, stdout: /, 0 findings/ })
})
