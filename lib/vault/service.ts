import { RelayError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { KeyHolder } from './keys/key-holder.ts'
import { readKeyFile } from './keys/key-file.ts'
import type { Description } from './manifest/schema.ts'
import type { CollectReport } from './operations/collect.ts'
import type { DrillReport } from './operations/drill.ts'
import type { About, Content } from './operations/put.ts'
import type { RepairOptions, RepairReport } from './operations/repair.ts'
import type { ScrubOptions, ScrubReport } from './operations/scrub.ts'
import type { SegmentInfo, Vault, VaultEntry } from './vault.ts'

export interface VaultServiceParts {
  vault: Vault
  holder: KeyHolder
  log: Log
}

/** An object that is being read. `bytes` begins with what was already got: what cannot be read at all was refused. */
export interface OpenedObject {
  readonly id: string
  readonly description: Description
  readonly bytes: AsyncGenerator<Uint8Array>
}

/**
 * A vault in a relay or a command: it knows its key and its places before it answers, and does one job of a kind at a
 * time.
 */
export class VaultService {
  readonly #parts: VaultServiceParts
  readonly #running = new Map<string, Promise<unknown>>()
  #looked: Promise<void> | undefined

  constructor (parts: VaultServiceParts) {
    this.#parts = parts
  }

  /** Reads the key and asks the places what they hold, without anybody waiting. */
  start (): void {
    this.#ready().catch((error: unknown) => {
      this.#parts.log.error({ err: error }, `the vault cannot be used: ${messageOf(error)}`)
    })
  }

  get nodes (): Vault['nodes'] {
    return this.#parts.vault.nodes
  }

  /** Objects that are known of, without asking anybody. */
  get known (): readonly VaultEntry[] {
    return this.#parts.vault.list()
  }

  /** Shards that objects have, as far as is known. */
  get shards (): number {
    return this.#parts.vault.shards
  }

  get hasKey (): boolean {
    return this.#parts.holder.known !== undefined
  }

  /** Waits until every place has been asked, once. @throws RelayError RELAY_BAD_OPTION for a damaged key file */
  async list (): Promise<VaultEntry[]> {
    return (await this.#ready()).list()
  }

  /** @param text the id of an object, or a name: then its newest @throws RelayError RELAY_VAULT_NOT_FOUND */
  async info (text: string): Promise<{ entry: VaultEntry, segments: SegmentInfo[] }> {
    return (await this.#ready()).info(await this.#idOf(text))
  }

  /**
   * See `putObject`.
   * @param most bytes of the largest object taken
   * @throws RelayError RELAY_VAULT_KEY_MISSING, RELAY_VAULT_TOO_LARGE, RELAY_VAULT_UNHAPPY
   */
  async put (
    source: Content, about: About, { most = Infinity, signal }: { most?: number, signal?: AbortSignal } = {}
  ): Promise<VaultEntry> {
    await this.#parts.holder.read()
    const vault = await this.#ready()
    const { id } = await vault.put(bounded(source, most), about, { signal })
    return vault.info(id).entry
  }

  /**
   * @param text the id of an object, or a name: then its newest
   * @throws RelayError RELAY_VAULT_NOT_FOUND, RELAY_VAULT_KEY_MISSING, RELAY_VAULT_KEY_WRONG, RELAY_VAULT_LOST, …
   */
  async get (text: string, signal?: AbortSignal): Promise<OpenedObject> {
    const { id, description, bytes } = await this.#open(text, signal)
    const first = await bytes.next()
    return { id, description, bytes: after(first, bytes) }
  }

  /** What an object is, without reading it. @throws RelayError as `get` */
  async describe (text: string): Promise<{ id: string, description: Description }> {
    const { id, description } = await this.#open(text)
    return { id, description }
  }

  /** @throws RelayError RELAY_VAULT_NOT_FOUND, RELAY_VAULT_KEY_MISSING, RELAY_VAULT_UNHAPPY */
  async forget (id: string): Promise<void> {
    await this.#parts.holder.read()
    await (await this.#ready()).forget(id)
  }

  async repair (options: Omit<RepairOptions, 'progress'> & { id?: string | undefined } = {}): Promise<RepairReport> {
    const { id, now, signal } = options
    return await this.#once(`repair ${id}`, async vault =>
      await vault.repair({ now, signal, ...id !== undefined && { id: await this.#idOf(id) } }))
  }

  /** Of all shards, or of a part of them. */
  async scrub (options: ScrubOptions = {}): Promise<ScrubReport> {
    return await this.#once(`scrub ${options.after} ${options.most}`, async vault => await vault.scrub(options))
  }

  /** With the key from its file, as recovery would have it. @returns null when there is nothing to bring back */
  async drill (): Promise<DrillReport | null> {
    return await this.#once('drill', async vault => await vault.drill(await readKeyFile(this.#parts.holder.file)))
  }

  async collect (): Promise<CollectReport> {
    return await this.#once('collect', async vault => await vault.collect())
  }

  async close (): Promise<void> {
    await this.#parts.vault.close()
  }

  async #ready (): Promise<Vault> {
    const { vault, holder, log } = this.#parts
    const hadKey = this.hasKey
    await holder.read().catch((error: unknown) => {
      if (!(error instanceof RelayError) || error.code !== 'RELAY_VAULT_KEY_MISSING') throw error
      if (this.#looked === undefined) log.warn({}, error.message)
    })
    // places are asked again once there is a key: only then they show whose they are
    if (!hadKey && this.hasKey) this.#looked = undefined
    this.#looked ??= vault.refresh().then(() => {})
    await this.#looked
    return vault
  }

  async #open (text: string, signal?: AbortSignal): Promise<OpenedObject> {
    await this.#parts.holder.read()
    const vault = await this.#ready()
    const id = await this.#idOf(text)
    return { id, ...vault.get(id, { signal }) }
  }

  async #idOf (text: string): Promise<string> {
    if (/^[0-9a-f]{64}$/.test(text)) return text
    const named = (await this.list()).filter(({ description }) => description?.name === text)
    const [newest, next] = named
    if (newest === undefined) throw new RelayError('RELAY_VAULT_NOT_FOUND', 'the vault has no object of this name')
    if (next !== undefined && next.generation === newest.generation) {
      const ids = `${newest.id}, ${next.id}`
      throw new RelayError(
        'RELAY_VAULT_NOT_FOUND',
        `two objects of this name are equally new, as after a partition: ask for one by its id (${ids})`
      )
    }
    return newest.id
  }

  /** One at a time; who asks for it while it runs is told what it found. */
  async #once<T> (name: string, work: (vault: Vault) => Promise<T>): Promise<T> {
    let running = this.#running.get(name) as Promise<T> | undefined
    if (running === undefined) {
      running = this.#ready().then(work).finally(() => { this.#running.delete(name) })
      this.#running.set(name, running)
    }
    return await running
  }
}

async function * bounded (source: Content, most: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of source) {
    size += chunk.length
    if (size > most) {
      throw new RelayError('RELAY_VAULT_TOO_LARGE', `the object has more than ${most} bytes, the most that is taken`)
    }
    yield chunk
  }
}

async function * after (
  first: IteratorResult<Uint8Array>, rest: AsyncGenerator<Uint8Array>
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) if (next.value.length > 0) yield next.value
  } finally {
    await rest.return(undefined)
  }
}
