import t from 'tap'
import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { silent } from '../../../lib/log.ts'
import { Node } from '../../../lib/nodes/node.ts'
import { ObjectPlace } from '../../../lib/nodes/object-place.ts'
import { claimPlaces, initVault } from '../../../lib/vault/init.ts'
import { ClusterKey } from '../../../lib/vault/keys/cluster-key.ts'
import { readKeyFile, writeKeyFile } from '../../../lib/vault/keys/key-file.ts'
import { joinKey, shareSum, splitKey } from '../../../lib/vault/keys/key-split.ts'
import { fromRecoveryText, toRecoveryText } from '../../../lib/vault/keys/recovery-text.ts'
import { scratch } from '../../scratch.ts'
import { bytes, hex, lcg, vectors } from '../ces/vectors.ts'
import { closeWorkers, cluster } from './cluster.ts'

t.teardown(closeWorkers)

const openFolder = (folder: string, id = path.basename(folder)): Node =>
  new Node({ id, open: async () => await ObjectPlace.folder(folder, { reserve: 0 }) })

t.test('vectors of wrapped and split keys', async t => {
  interface File {
    seal: string
    nonce: string
    key_wrap: { cluster_key: string, data_key: string, wrapped: string, fingerprint: string }
    key_split: {
      threshold: number
      shares: number
      secret: string
      coefficients: string[]
      list: Array<{ x: number, share: string, sha256: string }>
    }
  }
  const file = await vectors<File>(t, 'vault-format.json')
  if (file === undefined) return
  const { key_wrap: wrap, key_split: split } = file
  const [key, seal] = [new ClusterKey(bytes(wrap.cluster_key)), bytes(file.seal)]
  t.equal(key.fingerprint, wrap.fingerprint)
  t.equal(hex(key.wrap(bytes(wrap.data_key), seal, bytes(file.nonce))), wrap.wrapped)
  t.equal(hex(key.unwrap(bytes(wrap.wrapped), seal, wrap.fingerprint)), wrap.data_key)

  const coefficients = split.coefficients.map(bytes)
  const shares = splitKey(bytes(split.secret), split.threshold, split.shares, () => coefficients.shift()!)
  t.strictSame(shares.map(share => ({ x: share.x, share: hex(share.share), sha256: hex(shareSum(share)) })), split.list)
  for (const some of [[0, 1, 2], [4, 2, 0], [3, 1, 4]]) t.equal(hex(joinKey(some.map(at => shares[at]!))), split.secret)
  t.not(hex(joinKey(shares.slice(0, 2))), split.secret)
})

t.test('another key and damage are different errors', async t => {
  const [key, seal] = [ClusterKey.random(), lcg(16)]
  const wrapped = key.wrap(lcg(32), seal)
  t.throws(() => ClusterKey.random().unwrap(wrapped, seal, key.fingerprint), { code: 'RELAY_VAULT_KEY_WRONG' })
  t.throws(() => key.unwrap(wrapped.map((byte, at) => at === 30 ? byte ^ 1 : byte), seal, key.fingerprint), {
    code: 'RELAY_VAULT_DAMAGED'
  })
})

t.test('a recovery text is read as people write it, and notices what is wrong', async t => {
  const key = lcg(32)
  const text = toRecoveryText(key)
  t.match(text, /^RV1(-[0-9A-HJKMNP-TV-Z]{1,6})+$/)
  t.strictSame(Buffer.from(fromRecoveryText(text)), Buffer.from(key))
  t.strictSame(
    Buffer.from(fromRecoveryText(
      ` ${text.toLowerCase().replaceAll('-', ' \n').replaceAll('0', 'o').replaceAll('1', 'l').replace('rvl', 'rv1')}\n`
    )),
    Buffer.from(key)
  )
  const digits = text.slice(4).split('')
  for (let at = 0; at < digits.length; at++) {
    if (digits[at] === '-') continue
    const wrong = digits.with(at, digits[at] === 'A' ? 'B' : 'A').join('')
    t.throws(() => fromRecoveryText(`RV1-${wrong}`), { code: 'RELAY_BAD_OPTION' }, `letter ${at}`)
  }
  t.throws(() => fromRecoveryText(text.slice(0, -1)), /57 letters and digits after RV1 instead of 58/)
  t.throws(() => fromRecoveryText('hunter2'), /begins with RV1/)
  t.throws(() => fromRecoveryText(text.replace(/.$/, 'U')), /there is no U/)
})

t.test('restic 4848, borg 6036: init never makes a second key', async t => {
  const folder = await scratch(t, { one: null, two: null })
  const file = path.join(folder, 'vault', 'key')
  const nodes = (): Node[] => ['one', 'two'].map(id => openFolder(path.join(folder, id)))
  const key = await initVault(nodes(), file, silent)
  t.equal((await stat(file)).mode & 0o777, 0o600)
  t.equal((await readKeyFile(file)).fingerprint, key.fingerprint)
  const before = await readFile(file, 'utf8')
  await t.rejects(initVault(nodes(), file, silent), {
    code: 'RELAY_VAULT_KEY_WRONG', message: /one holds the vault of the key/
  })
  await t.rejects(
    initVault(nodes(), path.join(folder, 'other'), silent), { code: 'RELAY_VAULT_KEY_WRONG' }, 'on another machine'
  )
  t.equal(await readFile(file, 'utf8'), before)
  await t.rejects(stat(path.join(folder, 'other')), { code: 'ENOENT' })
  await t.rejects(writeKeyFile(file, ClusterKey.random()), {
    code: 'RELAY_VAULT_KEY_WRONG', message: /there is a key already/
  })

  const away = new Node({ id: 'three', open: async () => { throw new Error('away') } })
  const refused = initVault([openFolder(await scratch(t)), away], path.join(folder, 'third'), silent)
  await t.rejects(refused, { code: 'RELAY_VAULT_UNREACHABLE', message: /three did not answer/ })
  await t.rejects(stat(path.join(folder, 'third')), { code: 'ENOENT' })

  const restored = path.join(folder, 'restored')
  await initVault(nodes(), restored, silent, new ClusterKey(fromRecoveryText(before)))
  t.equal(await readFile(restored, 'utf8'), before, 'the same key may come back')
})

t.test('init refuses a place whose manifests are of another key, whatever its identity says', async t => {
  const { open, folders } = await cluster(t, ['one', 'two', 'three'])
  await (await open()).put([lcg(100)], { kind: 'bundle', name: 'a' })
  const refused = initVault(
    [...folders.values()].map(folder => openFolder(folder)), path.join(await scratch(t), 'key'), silent
  )
  await t.rejects(refused, {
    code: 'RELAY_VAULT_KEY_WRONG', message: /no key is made: .*one.* holds the vault of the key/
  })
})

t.test('ipfs-cluster 976, 1064: the same place twice is refused, and its identity survives', async t => {
  const folder = await scratch(t, { one: null })
  const place = path.join(folder, 'one')
  await t.rejects(claimPlaces([openFolder(place), openFolder(place, 'again')], '0'.repeat(16)), {
    code: 'RELAY_BAD_OPTION', message: /one and again are the same place/
  })
  const [first] = (await claimPlaces([openFolder(place)], '0'.repeat(16))).values()
  const [second] = (await claimPlaces([openFolder(place, 'renamed')], '0'.repeat(16))).values()
  t.equal(first, second)
})

t.test('a key that is not there, or is damaged, is told', async t => {
  const folder = await scratch(t)
  await t.rejects(readKeyFile(path.join(folder, 'key')), { code: 'RELAY_VAULT_KEY_MISSING', message: /vault init/ })
  await writeFile(path.join(folder, 'bad'), 'RV1-000')
  await t.rejects(readKeyFile(path.join(folder, 'bad')), { code: 'RELAY_BAD_OPTION' })
})
