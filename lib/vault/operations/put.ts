import { createHash, randomBytes } from 'node:crypto'
import { KEY_BYTES } from '../../ces/cipher/cipher.ts'
import { SEAL_BYTES } from '../../ces/format/segment-header.ts'
import { segments, type Piece } from '../../ces/segments.ts'
import { RelayError, messageOf } from '../../errors.ts'
import type { Node } from '../../nodes/node.ts'
import { blockName } from '../../shards/block-name.ts'
import type { VaultContext } from '../context.ts'
import { sealDescription } from '../describe.ts'
import { readManifest, sign, type Manifest } from '../manifest/manifest.ts'
import type { Description, ManifestPayload } from '../manifest/schema.ts'
import { filesOf, Rooms, storeShards } from './store-shards.ts'

export type Content = AsyncIterable<Uint8Array> | Iterable<Uint8Array>
export type About = Pick<Description, 'kind' | 'name' | 'heads' | 'media'>

export interface PutOptions {
  /** The newest manifest of the same name */
  before?: Manifest | undefined
  /** Of the object, 32 bytes, when only its client is to have it */
  clientKey?: Uint8Array | undefined
  signal?: AbortSignal | undefined
}

/**
 * Stores an object: answered when its shards and its manifest are at their places, verified and durable.
 * @throws RelayError RELAY_VAULT_UNHAPPY when the promise cannot be kept: then nothing is left of it
 */
export async function putObject (
  context: VaultContext,
  source: Content,
  about: About,
  { before, clientKey, signal }: PutOptions = {}
): Promise<Manifest> {
  const { holdings } = context
  const stored: string[] = []
  try {
    return await put(context, source, about, { before, clientKey, signal }, stored)
  } catch (error) {
    await undo(context, stored)
    throw error
  } finally {
    for (const name of stored) holdings.pending.delete(name)
  }
}

async function put (
  context: VaultContext,
  source: Content,
  about: About,
  { before, clientKey, signal }: PutOptions,
  stored: string[]
): Promise<Manifest> {
  const {
    geometry: { k, m, survive, segment },
    workers,
    holdings
  } = context
  const seal = randomBytes(SEAL_BYTES)
  const key = clientKey ?? randomBytes(KEY_BYTES)
  const [hash, rooms] = [createHash('sha256'), await Rooms.ask(context.nodes, signal)]
  const made: ManifestPayload['segments'] = []
  let size = 0

  const store = async ({ plain, number, isLast }: Piece): Promise<void> => {
    const encoded = await workers.encode(plain, key, { seal, number, isLast, k, m }, signal)
    const files = filesOf(encoded)
    for (const { name } of files.values()) {
      holdings.pending.add(name)
      stored.push(name)
    }
    await storeShards(context, rooms, files, { seed: `${seal.toString('hex')}:${number}`, k, m, survive, signal })
    made[number] = {
      codec: encoded.codec,
      length: encoded.length,
      plain: encoded.plain,
      shards: Buffer.concat(encoded.names).toString('base64url')
    }
  }

  const underWay = new Set<Promise<void>>()
  try {
    for await (const piece of segments(
      counted(source, chunk => {
        hash.update(chunk)
        size += chunk.length
      }),
      segment
    )) {
      signal?.throwIfAborted()
      const task = store(piece).finally(() => {
        underWay.delete(task)
      })
      underWay.add(task)
      task.catch(() => {}) // it is waited for below
      if (underWay.size > workers.threads) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  } finally {
    await Promise.allSettled(underWay)
  }

  const description: Description = { ...about, size, sha256: hash.digest('hex'), writtenAt: new Date().toISOString() }
  const clusterKey = clientKey === undefined ? context.key() : undefined
  const payload: ManifestPayload = {
    v: 1,
    seal: seal.toString('hex'),
    k,
    m,
    segment,
    survive,
    generation: (before?.payload.generation ?? 0) + 1,
    before: before?.id ?? null,
    segments: made,
    key:
      clusterKey === undefined
        ? { mode: 'client' }
        : {
            mode: 'cluster',
            fingerprint: clusterKey.fingerprint,
            wrapped: Buffer.from(clusterKey.wrap(key, seal)).toString('base64url')
          },
    sealed: sealDescription(description, key, seal)
  }
  return await storeManifest(context, await sign('manifest', payload, await context.writer()), stored, signal)
}

/** The manifest comes last: before it is at its places the object is not there. */
async function storeManifest (
  context: VaultContext,
  bytes: Uint8Array,
  stored: readonly string[],
  signal?: AbortSignal
): Promise<Manifest> {
  const read = await readManifest(bytes)
  if (!('manifest' in read)) throw new RelayError('RELAY_INTERNAL', 'a manifest is not read as one')
  const holders = new Set(stored.flatMap(name => context.holdings.holdersOf(name)))
  await storeEverywhere(context, bytes, [...holders], signal)
  context.holdings.addManifest(read.manifest)
  return read.manifest
}

/**
 * Writes a manifest or a tombstone to places; those that fail get it by repair.
 * @throws RelayError RELAY_VAULT_UNHAPPY when the loss of `survive` domains would take every copy
 */
export async function storeEverywhere (
  context: VaultContext,
  bytes: Uint8Array,
  nodes: readonly Node[],
  signal?: AbortSignal
): Promise<void> {
  const name = blockName(bytes)
  await Promise.all(
    nodes.map(async node => {
      try {
        await node.ask(async ({ manifests }) => {
          await manifests.put(name, bytes, signal)
        }, signal)
        context.holdings.add(name, node)
      } catch (error) {
        context.log.warn({ place: node.id, err: error }, `a manifest does not get to ${node.id}: ${messageOf(error)}`)
      }
    })
  )
  const domains = new Set(context.holdings.holdersOf(name).map(({ domain }) => domain))
  if (domains.size > context.geometry.survive) return
  await undo(context, [], name)
  throw new RelayError(
    'RELAY_VAULT_UNHAPPY',
    `nothing is stored: the manifest got to ${domains.size} domains, and is to outlive ${context.geometry.survive}`
  )
}

/** Takes away what a put left; what cannot be reached now is collected later. */
async function undo (context: VaultContext, shards: readonly string[], manifest?: string): Promise<void> {
  const { holdings } = context
  const remove = async (node: Node, name: string): Promise<void> => {
    await node.ask(async place => {
      await (name === manifest ? place.manifests : place.shards).remove(name)
    })
    holdings.drop(name, node)
  }
  const names = manifest === undefined ? shards : [...shards, manifest]
  await Promise.allSettled(
    names.flatMap(name =>
      holdings.holdersOf(name).map(async node => {
        await remove(node, name)
      })
    )
  )
}

async function * counted (source: Content, count: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    count(chunk)
    yield chunk
  }
}
