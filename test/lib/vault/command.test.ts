import t from 'tap'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { perform as work } from '../../../lib/cli/perform.ts'
import { perform } from '../../../lib/vault/command/perform.ts'
import { scratch } from '../../scratch.ts'

const PLACES = ['one', 'two', 'three']

t.test('a new user makes a vault, loses a machine, and has all back with the recovery text alone', async t => {
  const root = await scratch(t, {
    ...Object.fromEntries(PLACES.map(id => [id, null])),
    'places.json': '',
    'notes.txt': 'what I must not lose. '.repeat(10_000)
  })
  const at = (name: string): string => path.join(root, name)
  const places = PLACES.map(id => ({ id, kind: 'folder', path: at(id) }))
  await writeFile(at('places.json'), JSON.stringify(places))
  const options = (storage: string) => ({ storage: at(storage), vault: { placesFile: at('places.json'), reserve: 0 } })
  const run = async (words: string[], own = {}, storage = 'data'): Promise<{ code: number, text: string }> => {
    let text = ''
    const code = await perform({ verb: 'vault', words, own }, options(storage), printed => { text += printed })
    return { code, text }
  }

  await t.rejects(run(['put', at('notes.txt')]), { code: 'RELAY_VAULT_KEY_MISSING', message: /vault init/ })
  const made = await run(['init'])
  t.match(made, { code: 0, text: /RV1-[0-9A-Z-]+\n/ })
  await t.rejects(run(['init']), { code: 'RELAY_VAULT_KEY_WRONG' }, 'never over a key')
  await t.rejects(run(['init'], {}, 'other'), {
    code: 'RELAY_VAULT_KEY_WRONG', message: /another key|holds the vault/
  }, 'nor a second one')

  t.match(await run(['put', at('notes.txt'), 'notes']), { code: 0, text: /^[0-9a-f]{64} notes: 220000 bytes/ })
  const [entry] = JSON.parse((await run(['list'], { json: true })).text)
  t.match(entry, { generation: 1, description: { name: 'notes' } })
  t.match((await run(['list'])).text, `${entry.id} notes: file, generation 1, 220000 bytes`)
  const segment = /segment 0: (one|two|three) (one|two|three) (one|two|three)\n/
  t.match(await run(['info', 'notes']), { code: 0, text: segment })
  t.match(await run(['drill']), { code: 0, text: /^notes: 220000 bytes without (one|two|three), in/ })
  t.match(await run(['peers']), { code: 0, text: /^one \(one\): active, health/ })
  t.match(await run(['key']), { code: 0, text: /^RV1-/ })

  // the machine is gone, and one of the places
  const recovery = /RV1-\S+/.exec(made.text)![0]
  await rm(at('data'), { recursive: true })
  await rm(at('two'), { recursive: true })
  await mkdir(at('two'))
  const program = [
    '--import', 'tsx', 'bin/tonk-relay.ts', 'vault', 'key', 'restore', '--storage', at('new'), '--vault-places-file',
    at('places.json')
  ]
  const child = execFile(process.execPath, program, { env: { ...process.env, NODE_OPTIONS: '' } })
  child.stdin!.end(`${recovery.toLowerCase().replaceAll('-', ' ')}\n`)
  t.strictSame(await once(child, 'exit'), [0, null], 'spaces and case do not matter')
  t.match(await run(['get', 'notes', at('back.txt')], {}, 'new'), { code: 0 })
  t.equal(await readFile(at('back.txt'), 'utf8'), await readFile(at('notes.txt'), 'utf8'))
  await t.rejects(run(['get', 'notes', at('back.txt')], {}, 'new'), { code: 'RELAY_BAD_OPTION', message: /already/ })
  t.match(await run(['repair'], { now: true }, 'new'), { code: 0, text: /1 repaired: 1 shards/ })
  t.match(await run(['scrub'], {}, 'new'), { code: 0, text: /^3 shards read, 0 damaged, 0 missing/ })
  t.match(await run(['forget', entry.id], {}, 'new'), { code: 0 })
  t.strictSame(await run(['list'], {}, 'new'), { code: 0, text: '' })
})

t.test('all that a relay stores goes into the vault, and comes back on an empty machine as it was', async t => {
  const root = await scratch(t, { ...Object.fromEntries(PLACES.map(id => [id, null])), data: null })
  const at = (name: string): string => path.join(root, name)
  const places = JSON.stringify(PLACES.map(id => ({ id, kind: 'folder', path: at(id) })))
  await writeFile(at('places.json'), places)
  await writeFile(at('data/blank.tonk'), randomBytes(300_000))
  await mkdir(at('data/vault/shards/aa'), { recursive: true })
  await writeFile(at('data/vault/shards/aa/x'), 'a copy itself')
  const vault = { placesFile: at('places.json'), reserve: 0 }
  const run = async (verb: string, words: string[], storage = 'data'): Promise<string> => {
    let text = ''
    const options = { storage: at(storage), vault }
    const does = verb === 'vault' ? perform : work
    const code = await does({ verb, words, own: {} }, options, printed => { text += printed })
    t.equal(code, 0, `${verb} ${words.join(' ')}`)
    return text
  }
  await t.rejects(work({ verb: 'backup', words: ['vault'], own: {} }, { storage: at('data') }, () => {}), {
    message: /--vault-places-file/
  })
  await t.rejects(run('backup', ['vault']), { code: 'RELAY_VAULT_KEY_MISSING' })
  await run('vault', ['init'])
  await t.rejects(run('restore', ['vault'], 'other'), { code: 'RELAY_VAULT_KEY_MISSING' })
  const first = /vault:([0-9a-f]{64})/.exec(await run('backup', ['vault']))![1]!
  await writeFile(at('data/blank.tonk'), randomBytes(10))
  await run('backup', ['vault'])
  t.match(await run('vault', ['list']), /backup: backup, generation 2[^]*backup: backup, generation 1/)

  await rm(at('two'), { recursive: true })
  await mkdir(at('two'))
  for (const [name, source] of [['newest', 'vault'], ['older', `vault:${first}`]] as const) {
    await mkdir(at(`${name}/vault`), { recursive: true })
    await cp(at('data/vault/key'), at(`${name}/vault/key`))
    t.match(await run('restore', [source], name), /as they were at/)
    const names = (await readdir(at(name), { recursive: true })).filter(file => !file.startsWith('lock.d'))
    t.strictSame(names.sort(), ['blank.tonk', 'vault', 'vault/key'])
  }
  t.ok((await readFile(at('newest/blank.tonk'))).equals(await readFile(at('data/blank.tonk'))))
  t.equal((await readFile(at('older/blank.tonk'))).length, 300_000)
})

t.test('what is wrong on the command line is said', async t => {
  const root = await scratch(t, { 'places.json': JSON.stringify([{ id: 'one', kind: 'folder', path: '/nowhere' }]) })
  const options = { storage: root, vault: { placesFile: path.join(root, 'places.json') } }
  const run = async (words: string[], given: object = options) =>
    await perform({ verb: 'vault', words, own: {} }, given, () => {})
  await t.rejects(run(['list'], {}), { message: /--vault-places-file/ })
  await t.rejects(run(['lists']), { message: /there are init, put/ })
  await t.rejects(run(['put']), { message: /takes 1 to 2/ })
  await t.rejects(run(['init', 'now']), { message: /vault init/ })
  await t.rejects(run(['key', 'throw']), { message: /restore/ })
  await t.rejects(run(['init']), { code: 'RELAY_VAULT_UNREACHABLE', message: /one did not answer/ })
})
