import { checkBlock, checkBlockName, isBlockName } from './block-name.ts'
import type { BlockListOptions, BlockState, BlockStore, ListedBlock } from './block-store.ts'
import type { RelayRequests } from './relay-requests.ts'

const BATCH = 500 // names asked about at once
const STATES: readonly string[] = ['whole', 'damaged', 'missing'] satisfies BlockState[]

/** Blocks at another relay, over HTTP. What it answers is checked: it may be anybody's. */
export class RelayBlocks implements BlockStore {
  readonly #requests: RelayRequests

  constructor (requests: RelayRequests) {
    this.#requests = requests
  }

  async put (name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkBlock(name, bytes)
    await this.#requests.ask('PUT', `/${name}`, signal, bytes as Uint8Array<ArrayBuffer>, 'application/octet-stream')
  }

  async read (name: string, signal?: AbortSignal): Promise<Uint8Array> {
    return await this.#requests.ask('GET', `/${checkBlockName(name)}`, signal)
  }

  async missing (names: readonly string[], signal?: AbortSignal): Promise<string[]> {
    const missing: string[] = []
    for (const batch of batches(names)) {
      const answer = await this.#requests.json('POST', '/missing', signal, { names: batch })
      const found = listOf(answer['missing'])
      missing.push(...batch.filter(name => found.includes(name)))
    }
    return missing
  }

  async verify (names: readonly string[], signal?: AbortSignal): Promise<Map<string, BlockState>> {
    const states = new Map<string, BlockState>()
    for (const batch of batches(names)) {
      const found = Object(await this.#requests.json('POST', '/verify', signal, { names: batch }))['states'] as unknown
      for (const name of batch) {
        const state: unknown = Object(found)[name]
        if (typeof state !== 'string' || !STATES.includes(state)) throw this.#requests.strange()
        states.set(name, state as BlockState)
      }
    }
    return states
  }

  async list ({ after, limit, signal }: BlockListOptions): Promise<ListedBlock[]> {
    const query = new URLSearchParams({ limit: String(limit), ...after !== undefined && { after } })
    const blocks = listOf((await this.#requests.json('GET', `?${query}`, signal))['blocks'])
    if (!blocks.every(isListed)) throw this.#requests.strange()
    return blocks as ListedBlock[]
  }

  async remove (name: string, signal?: AbortSignal): Promise<void> {
    await this.#requests.ask('DELETE', `/${checkBlockName(name)}`, signal)
  }
}

function * batches (names: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += BATCH) yield names.slice(at, at + BATCH)
}

const listOf = (value: unknown): unknown[] => Array.isArray(value) ? value : []

const isListed = (block: unknown): boolean => {
  const { name, size } = Object(block) as Record<string, unknown>
  return typeof name === 'string' && isBlockName(name) && Number.isSafeInteger(size)
}
