import t, { type Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { silent, type Log } from '../../../lib/log.ts'
import { BACKUP, backUpInto } from '../../../lib/vault/backup.ts'
import { initVault } from '../../../lib/vault/init.ts'
import { openNodes, openVault } from '../../../lib/vault/open.ts'
import { parseVaultOptions } from '../../../lib/vault/settings.ts'
import { Upkeep } from '../../../lib/vault/upkeep/upkeep.ts'
import { scratch } from '../../scratch.ts'

const PLACES = ['one', 'two', 'three']
const HOUR = 3_600_000 // ms
const morning = new Date(2030, 0, 1, 8).getTime()

async function prepare (t: Test) {
  const root = await scratch(t, { ...Object.fromEntries(PLACES.map(id => [id, null])), data: null })
  const places = PLACES.map(id => ({ id, kind: 'folder' as const, path: path.join(root, id) }))
  const given = { places, reserve: 0, segment: 64 * 1024, scrubDays: 1, nightly: '03:30', keepBackups: 2 }
  const settings = parseVaultOptions(given, path.join(root, 'data'))
  await initVault(openNodes(settings), settings.keyFile, silent)
  const errors: string[] = []
  const log: Log = { ...silent, error: (_fields, message) => { errors.push(message) } }
  const open = (isBackedUp = true) => {
    const vault = openVault(settings, log)
    const upkeep = new Upkeep({
      ...settings,
      vault,
      log,
      file: path.join(root, 'data', 'vault', 'upkeep.json'),
      ...isBackedUp && {
        backUp: async () =>
          await backUpInto(vault, { storage: path.join(root, 'data'), bundles: path.join(root, 'data') })
      }
    })
    t.teardown(async () => { await vault.close() })
    return { vault, upkeep, at: async (hours: number) => { await upkeep.run(new Date(morning + hours * HOUR)) } }
  }
  return { root, open, errors }
}

t.test('what is due is done, once, and goes on after a restart where it was', async t => {
  const { root, open, errors } = await prepare(t)
  await writeFile(path.join(root, 'data', 'blank.tonk'), randomBytes(200_000))
  const { vault, upkeep, at } = open()
  await vault.put([randomBytes(500_000)], { kind: 'file', name: 'a' })
  await at(0)
  t.match(upkeep.state, { drilled: morning, repaired: morning, collected: morning, backedUp: morning, scrubbed: 0 })
  t.match(upkeep.state?.position, /^[0-9a-f]{64}$/, 'a part was read')
  t.equal((await vault.list()).filter(({ description }) => description?.name === BACKUP).length, 1)
  const { position } = upkeep.state!
  await at(1)
  t.equal(upkeep.state?.position, position, 'nothing is due')

  await rm(path.join(root, 'two', 'vault', 'shards'), { recursive: true })
  const { vault: later, upkeep: next, at: then } = open()
  for (const hours of [6, 12, 18, 24, 30]) await then(hours)
  t.match(next.state, { drilled: morning + 24 * HOUR, backedUp: morning + 24 * HOUR })
  t.ok(next.state!.scrubbed > 0, 'every shard has been read')
  t.ok(next.damaged > 0, 'those that were missing were found')
  t.strictSame(next.found, { waiting: 0, unreachable: 0, irreparable: 0, misplaced: 0 })
  for (const hours of [48, 72]) await then(hours)
  const backups = (await later.list()).filter(({ description }) => description?.name === BACKUP)
  t.strictSame(backups.map(({ generation }) => generation), [4, 3], 'the newest backups are kept')
  t.strictSame(errors, [])
})

t.test('what cannot be done is told once, and is tried again', async t => {
  const { root, open, errors } = await prepare(t)
  const { vault, upkeep, at } = open(false)
  await vault.put([randomBytes(100_000)], { kind: 'file', name: 'a' })
  for (const place of PLACES) await rm(path.join(root, place, 'vault', 'shards'), { recursive: true })
  await at(0)
  await at(1)
  t.strictSame([...upkeep.problems.keys()], ['drilled'])
  t.equal(errors.filter(message => message.includes('drilled')).length, 1)
  t.match(upkeep.found, { irreparable: 1 })
  t.equal(upkeep.state?.drilled, 0)
  await vault.forget((await vault.list()).find(({ description }) => description?.name === 'a')!.id)
  await at(2)
  t.strictSame([...upkeep.problems.keys()], [])
  await writeFile(path.join(root, 'data', 'vault', 'upkeep.json'), 'rubbish')
  const other = open(false)
  await other.at(3)
  const kept = JSON.parse(await readFile(path.join(root, 'data', 'vault', 'upkeep.json'), 'utf8'))
  t.match(kept, { drilled: morning + 3 * HOUR })
})
