import t from 'tap'
import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { ClusterKey } from '../../../lib/vault/keys/cluster-key.ts'
import { closeWorkers, cluster, collected, tree } from './cluster.ts'

const THREE = ['one', 'two', 'three']
const plain = randomBytes(200_000) // four segments of 64 KiB
const about = { kind: 'bundle', name: 'bundles/a' }

t.teardown(closeWorkers)

t.test('three places, 8+4: any one may die, and comes back as it was', async t => {
  const { open, shardsIn, folders, faults, wipe } = await cluster(t, THREE)
  const vault = await open()
  const { id } = await vault.put([plain], about)
  for (const place of THREE) t.equal((await shardsIn(place)).length, 16, `a third of the shards at ${place}`)
  t.ok(vault.info(id).segments.every(({ isKept }) => isKept))
  t.match(vault.list(), [{ id, generation: 1, description: { name: 'bundles/a', size: 200_000, kind: 'bundle' } }])

  for (const place of THREE) {
    faults.set(place, { isAway: true })
    t.ok((await collected((await open()).get(id).bytes)).equals(plain), `read without ${place}`)
    faults.delete(place)
  }
  const before = await tree(`${folders.get('two')!}/vault/shards`)
  await wipe('two')
  const started = await open()
  t.ok((await collected(started.get(id).bytes)).equals(plain))
  t.match(await started.repair(), { repaired: 1, shards: 16, found: { waiting: [], irreparable: [] } })
  t.strictSame(await tree(`${folders.get('two')!}/vault/shards`), before, 'the very same files')
  t.match(await started.repair(), { repaired: 0, shards: 0 }, 'and then nothing is left to do')
  t.equal((await started.scrub()).looked, 48)
})

t.test('a place alone tells nothing, and another key opens nothing', async t => {
  const { open, folders } = await cluster(t, THREE)
  const text = Buffer.from('a secret that must not be found. '.repeat(2_000))
  const vault = await open()
  const { id } = await vault.put([text], { ...about, name: 'a secret name' })
  const disk = JSON.stringify(
    Object.values(await tree(folders.get('one')!)).map(file => Buffer.from(file, 'base64').toString('latin1'))
  )
  t.notMatch(disk, /secret/)
  const other = await open({ key: ClusterKey.random() })
  t.throws(() => other.get(id), { code: 'RELAY_VAULT_KEY_WRONG', message: /was stored with the key/ })
  t.equal(other.list()[0]!.description, null)
})

t.test('a flipped bit is found, read round, told of its place and healed', async t => {
  const { open, shardsIn, pathOf } = await cluster(t, THREE)
  const { id } = await (await open()).put([plain], about)
  const name = (await shardsIn('one'))[0]!.slice(3)
  const file = pathOf('one', name)
  const whole = await readFile(file)
  await writeFile(file, whole.map((byte, at) => at === 40 ? byte ^ 1 : byte))
  const vault = await open()
  t.ok((await collected(vault.get(id).bytes)).equals(plain))
  t.match(await vault.scrub(), { damaged: [{ name, place: 'one' }], missing: [], healed: { shards: 1, repaired: 1 } })
  t.ok((await readFile(file)).equals(whole))
})

t.test('what cannot keep its promise is refused, and leaves nothing', async t => {
  const { open, faults, shardsIn } = await cluster(t, THREE)
  const vault = await open()
  faults.set('three', { isAway: true })
  await t.rejects(vault.put([plain], about), {
    code: 'RELAY_VAULT_UNHAPPY', message: /needs 3 domains with room, and there are 2: one, two/
  })
  faults.set('three', { put: async () => { throw new Error('disk full') } })
  await t.rejects((await open()).put([plain], about), { code: 'RELAY_VAULT_UNHAPPY' })
  for (const place of THREE) t.strictSame(await shardsIn(place), [])
  t.strictSame(vault.list(), [])
})

t.test('a place that fails half way is replaced by others, with the same bytes', async t => {
  const { open, faults } = await cluster(t, ['one', 'two', 'three', 'four'])
  const vault = await open()
  let puts = 0
  faults.set('two', { put: async () => { if (++puts > 3) throw new Error('cut') } })
  const { id } = await vault.put([plain], about)
  faults.set('two', { isAway: true })
  t.ok((await collected((await open()).get(id).bytes)).equals(plain))
})

t.test('a place that is away when a relay starts is waited for, and what nobody has is found', async t => {
  const { open, faults, wipe } = await cluster(t, ['one', 'two', 'three', 'four', 'five', 'six'])
  const { id } = await (await open()).put([plain], about)
  faults.set('four', { isAway: true })
  const vault = await open()
  t.match(await vault.repair(), { shards: 0, found: { waiting: [id] } }, 'no storm after a reboot')
  t.match(await vault.scrub(), { silent: ['four'], missing: [], damaged: [] })
  t.match(await (await open({ grace: 0 })).repair(), { repaired: 1, shards: 8 }, 'gone for too long')
  faults.clear()
  await wipe('one')
  t.match(await (await open()).scrub(), {
    silent: [], damaged: [], healed: { repaired: 1, found: { irreparable: [] } }
  })
  t.match((await (await open()).scrub()).missing, [])
})

t.test('lost and not to be reached are different answers', async t => {
  const { open, faults, wipe } = await cluster(t, THREE)
  const { id } = await (await open()).put([plain], about)
  const vault = await open()
  faults.set('one', { isAway: true })
  faults.set('two', { isAway: true })
  await t.rejects(collected(vault.get(id).bytes), { code: 'RELAY_VAULT_UNREACHABLE' })
  t.match((await vault.repair()).found, { unreachable: [id] })
  faults.clear()
  await wipe('one')
  await wipe('two')
  const later = await open()
  await t.rejects(collected(later.get(id).bytes), { code: 'RELAY_VAULT_LOST' })
  t.match((await later.repair()).found, { irreparable: [id] })
  t.throws(() => vault.get('0'.repeat(64)), { code: 'RELAY_VAULT_NOT_FOUND' })
})

t.test('every size, and generations of a name', async t => {
  const { open } = await cluster(t, ['one', 'two', 'three'], { k: 2, m: 1 })
  const vault = await open()
  const sizes = [0, 1, 65_535, 65_536, 65_537]
  for (const size of sizes) await vault.put([plain.subarray(0, size)], about)
  const listed = (await open()).list()
  t.strictSame(listed.map(({ generation }) => generation), [5, 4, 3, 2, 1])
  for (const { id, description } of listed) {
    t.ok(
      (await collected(vault.get(id).bytes)).equals(plain.subarray(0, description!.size)), `${description!.size} bytes`
    )
  }
})

t.test('only the client has the key', async t => {
  const { open } = await cluster(t, THREE)
  const [vault, clientKey] = [await open(), randomBytes(32)]
  const { id } = await vault.put([plain], about, { clientKey })
  t.throws(() => vault.get(id), { code: 'RELAY_VAULT_KEY_MISSING' })
  t.throws(() => vault.get(id, { clientKey: randomBytes(32) }), { code: 'RELAY_VAULT_DAMAGED' })
  t.ok((await collected(vault.get(id, { clientKey }).bytes)).equals(plain))
  t.equal(await vault.drill(ClusterKey.random()), null)
})

t.test('a drill restores without a place, and sees what is wrong', async t => {
  const { open, key } = await cluster(t, THREE)
  const vault = await open()
  await vault.put([plain], about)
  t.match(await vault.drill(key), { name: 'bundles/a', bytes: 200_000 })
  await t.rejects(vault.drill(ClusterKey.random()), { code: 'RELAY_VAULT_KEY_WRONG' })
})

t.test('what is forgotten is collected; on a partial view nothing is', async t => {
  const { open, faults, shardsIn, folders } = await cluster(t, THREE)
  const vault = await open()
  const { id } = await vault.put([plain], about)
  const { id: kept } = await vault.put([plain], { ...about, name: 'bundles/b' })
  await vault.forget(id)
  t.throws(() => vault.get(id), { code: 'RELAY_VAULT_NOT_FOUND' })
  t.strictSame((await open()).list().map(({ id }) => id), [kept], 'others see it, too')
  faults.set('one', { isAway: true })
  t.match(await vault.collect(), { removed: 0, refused: /one did not tell/ })
  faults.clear()
  t.match(await vault.collect(), { removed: 0, suspects: 49 }, 'the first look only notes it')
  t.match(await vault.collect(), { removed: 51, suspects: 0 })
  t.equal((await shardsIn('one')).length, 16)
  t.ok(Object.keys(await tree(`${folders.get('one')!}/vault/trash`)).length >= 16, 'it is in the trash')
  for (let day = 0; day < 7; day++) await vault.collect()
  t.strictSame(await tree(`${folders.get('one')!}/vault/trash`), {}, 'for seven rounds')
  t.ok((await collected(vault.get(kept).bytes)).equals(plain))
})

t.test('one place that is slow does not hold a read up', async t => {
  const { open, faults } = await cluster(t, ['one', 'two', 'three', 'four'])
  const { id } = await (await open()).put([plain], about)
  const vault = await open()
  await collected(vault.get(id).bytes)
  faults.set('two', { delay: 5_000 })
  const begun = performance.now()
  t.ok((await collected(vault.get(id).bytes)).equals(plain))
  t.ok(performance.now() - begun < 4_000, 'a spare was asked')
  t.ok(vault.nodes[1]!.health.score < vault.nodes[0]!.health.score)
})

t.test('a manifest that is not one hides nothing and stops a collection', async t => {
  const { open, folders } = await cluster(t, THREE)
  const vault = await open()
  const { id } = await vault.put([plain], about)
  for (const place of THREE) {
    const file = `${folders.get(place)!}/vault/manifests/${id.slice(0, 2)}/${id}`
    await writeFile(file, 'rubbish')
  }
  const started = await open()
  t.strictSame(started.list(), [])
  t.match(await started.collect(), { refused: /1 manifests cannot be read/, removed: 0 })
  t.match(await vault.repair(), { repaired: 1 }, 'who knows it writes it again')
  for (const place of THREE) await rm(`${folders.get(place)!}/vault/manifests`, { recursive: true })
})
