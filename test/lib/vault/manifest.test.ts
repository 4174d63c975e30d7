import t from 'tap'
import { randomInt } from 'node:crypto'
import { CompactSign } from 'jose'
import { RelayError } from '../../../lib/errors.ts'
import { readManifest, sign } from '../../../lib/vault/manifest/manifest.ts'
import type { ManifestPayload } from '../../../lib/vault/manifest/schema.ts'
import { writerOf } from '../../../lib/vault/manifest/writer.ts'
import { mutate, random } from '../../fuzz.ts'
import { lcg } from '../ces/vectors.ts'

const writer = await writerOf(lcg(32))
const payload: ManifestPayload = {
  v: 1,
  seal: 'a0'.repeat(16),
  k: 2,
  m: 1,
  segment: 100,
  survive: 1,
  generation: 1,
  before: null,
  segments: [
    { codec: 0, length: 60, plain: 100, shards: Buffer.alloc(96, 1).toString('base64url') },
    { codec: 1, length: 40, plain: 7, shards: Buffer.alloc(96, 2).toString('base64url') }
  ],
  key: { mode: 'client' },
  sealed: ''
}

t.test('what is signed is read as it was', async t => {
  const bytes = await sign('manifest', payload, writer)
  const read = await readManifest(bytes)
  t.match(read, { manifest: { payload, writer: writer.kid } })
  if ('manifest' in read) {
    t.match(read.manifest.segments, [{ number: 0, isLast: false }, { number: 1, isLast: true, plain: 7 }])
  }
  t.match(await readManifest(await sign('tombstone', { v: 1, forgets: 'ab'.repeat(32) }, writer)), {
    tombstone: { writer: writer.kid }
  })
})

t.test('what says other things than a manifest is refused', async t => {
  const wrong = { code: 'RELAY_MANIFEST_INVALID' }
  for (const change of [
    { v: 2 }, { k: 250, m: 200 }, { extra: 1 }, { segments: [] }, { k: 3 }, { seal: 'a0' }, { segment: 99 },
    { segment: 200 }
  ]) {
    const bytes = await sign('manifest', { ...payload, ...change } as ManifestPayload, writer)
    await t.rejects(readManifest(bytes), wrong, JSON.stringify(change))
  }
  const other = await writerOf(lcg(64).subarray(32))
  const foreign = await new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'EdDSA', typ: 'vault-manifest+jws', kid: writer.kid, jwk: writer.jwk }).sign(other.key)
  await t.rejects(readManifest(Buffer.from(foreign)), wrong, 'signed by another')
  const unnamed = await new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'EdDSA', typ: 'vault-manifest+jws', kid: writer.kid, jwk: other.jwk }).sign(other.key)
  await t.rejects(readManifest(Buffer.from(unnamed)), wrong, 'a name that is not the key’s')
})

t.test('no mutation is taken for the manifest, and none has another error', async t => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  t.comment(`SEED=${seed}`)
  const below = random(seed)
  const bytes = await sign('manifest', payload, writer)
  for (let n = 0; n < 1_000; n++) {
    const mutated = mutate(bytes, bytes, below)
    if (Buffer.compare(mutated, bytes) === 0) continue
    try {
      const read = await readManifest(mutated)
      // base64url has spare bits: the same words in other letters, under another id
      if (!('manifest' in read) || JSON.stringify(read.manifest.payload) !== JSON.stringify(payload)) t.fail('taken')
    } catch (error) {
      if (!(error instanceof RelayError) || error.code !== 'RELAY_MANIFEST_INVALID') throw error
    }
  }
})
