import path from 'node:path'
import type { Readable } from 'node:stream'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Options } from '../options.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { Admission } from './stores/admission.ts'
import { channels, traced, type UploadTrace } from '../tracing.ts'
import { keepBlank, keptBlank } from './named/blank.ts'
import type { ByteSource } from './file/block-reader.ts'
import { Bundle } from './bundle.ts'
import { BundleDocuments } from './bundle-documents.ts'
import { streamLive } from './live.ts'
import { bundleFile } from './named/named-bundle.ts'
import { MergeMarks } from './merge-marks.ts'
import { Merger } from './merger.ts'
import { NamedBundles } from './named/named-bundles.ts'
import { invalidBundle } from './file/refusal.ts'
import { SlimCache } from './slim-cache.ts'
import { cutSlim, type Slim } from './slim.ts'
import { Spool } from './spool.ts'
import type { BundlePage, BundleStore, ListedBundle, PutOptions, StoredBundle } from './stores/store.ts'

/** Counts and times operations. */
export interface OperationMeter {
  operation<T> (part: 'bundle' | 'store', name: string, run: () => Promise<T>): Promise<T>
}

export interface BundlesParts {
  store: BundleStore
  /** What lies beside the documents: which bundles have been merged, and the blank one */
  objects: ObjectStore
  place?: string | undefined // id of the document storage, if that is elsewhere
  sync: SyncEngine
  automerge: AutomergePool
  options: Options
  log: Log
  metrics?: OperationMeter
}

const unmetered: OperationMeter = { operation: (_part, _name, run) => run() }

/** How often a bundle is opened again when it is replaced while it is read. */
const ATTEMPTS = 3

/**
 * Bundles on their way in and out. What they are made of is in document storage: a bundle's documents are merged there
 * when it is uploaded or given at the start, and at the latest before it is first cut (another relay may have stored
 * it).
 */
export class Bundles {
  readonly #parts: BundlesParts
  readonly #meter: OperationMeter
  readonly #spool: Spool
  readonly #merger: Merger
  readonly #slims: SlimCache
  readonly #documents = new BundleDocuments()
  readonly #named: NamedBundles
  readonly #storedListeners = new Set<(id: DocumentId) => void>()
  #stopListening = (): void => {}

  constructor (parts: BundlesParts) {
    const { sync, automerge, options, log, objects, place } = parts
    const storage = path.resolve(options.storage)
    this.#parts = parts
    this.#meter = parts.metrics ?? unmetered
    this.#spool = new Spool(path.join(storage, 'tmp'))
    this.#merger = new Merger({ sync, automerge, marks: new MergeMarks(objects, place), limits: options, log })
    this.#slims = new SlimCache(options.slimCache)
    const blank = options.blank === undefined ? keptBlank(objects, storage) : bundleFile(path.resolve(options.blank))
    const served = options.bundle === undefined ? blank : bundleFile(path.resolve(options.bundle))
    this.#named = new NamedBundles(
      served, blank, { sync, merger: this.#merger, slims: this.#slims, limits: options, log }
    )
  }

  /**
   * Reads the bundles that the options name, and makes a blank one when they name none. Their documents are merged
   * meanwhile: a host starts at once, however large they are and slow its disk is.
   * @throws RelayError RELAY_FILE_NOT_FOUND, RELAY_BUNDLE_INVALID, RELAY_BUNDLE_TOO_LARGE or RELAY_STORAGE_FAILED, with
   *   the file's path
   */
  async open (): Promise<void> {
    await this.#spool.open()
    if (this.#parts.options.blank === undefined) await keepBlank(this.#parts.objects)
    this.#stopListening = this.#parts.sync.onChange(id => { this.#slims.forget(id) })
    await this.#named.open()
  }

  /** Resolves when the bundles that the options name are merged or cannot be, which `checkNamed` then tells. */
  async merged (): Promise<void> {
    await this.#named.merged()
  }

  /** @throws RelayError RELAY_NOT_READY while the bundles that the options name are merged, or why they cannot be */
  checkNamed (): void {
    this.#named.check()
  }

  /**
   * Takes a bundle: checks all of it, stores it under its root's id, merges its documents. Durable when resolved;
   * nothing is left of one that is refused. The stream is not destroyed then, so that its sender can be answered.
   * @param length bytes announced, if any
   * @param admission says whether it may be stored, once what it holds is known
   * @throws RelayError RELAY_BUNDLE_INVALID, RELAY_BUNDLE_TOO_LARGE, RELAY_BAD_REQUEST when the stream breaks off,
   *   RELAY_STORE_UNAVAILABLE, RELAY_STORAGE_FAILED, RELAY_PRECONDITION_FAILED
   */
  async receive (body: Readable, length?: number, admission?: Admission): Promise<{ id: DocumentId }> {
    const incoming = { stream: body, limit: this.#parts.options.maxUpload, length }
    const receive = (trace?: UploadTrace) => this.#spool.hold(incoming, async (opened, file) => {
      const bundle = await this.#merger.check(opened)
      const id = bundle.rootId
      if (trace !== undefined) trace.id = id
      await this.#merger.alone(id, async () => {
        const options = await this.#admit(bundle, admission)
        await this.#meter.operation('store', 'put', () => this.#parts.store.put(id, file, options))
        await this.#merger.merge(bundle)
        await this.#markStored(bundle)
      })
      for (const listener of this.#storedListeners) listener(id)
      return { id }
    })
    return await traced(
      channels.upload, () => ({ bytes: length }),
      trace => this.#meter.operation('bundle', 'upload', () => receive(trace))
    )
  }

  /**
   * Deletes a bundle; its documents stay.
   * @param permit rejects when it must not be
   * @throws RelayError RELAY_BUNDLE_NOT_FOUND, RELAY_STORE_UNAVAILABLE, RELAY_METHOD_NOT_ALLOWED by a store that keeps
   *   all
   */
  async remove (id: DocumentId, permit: (stored: StoredBundle) => Promise<void>): Promise<void> {
    await this.#merger.alone(id, async () => {
      const stored = await this.#open(id)
      await stored.close()
      await permit(stored)
      const { store } = this.#parts
      if (store.remove === undefined) throw new RelayError('RELAY_METHOD_NOT_ALLOWED', 'The store deletes no bundles')
      await store.remove(id)
    })
  }

  /** Some of the stored bundles; null when the store does not tell. @throws RelayError RELAY_STORE_UNAVAILABLE */
  async list (page: BundlePage): Promise<ListedBundle[] | null> {
    return await this.#meter.operation('store', 'list', async () => await this.#parts.store.list?.(page) ?? null)
  }

  /** Calls back after each upload; returns the way to stop. */
  onStored (listener: (id: DocumentId) => void): () => void {
    this.#storedListeners.add(listener)
    return () => { this.#storedListeners.delete(listener) }
  }

  /**
   * The bundle as it was uploaded; must be closed.
   * @throws RelayError RELAY_BUNDLE_NOT_FOUND, RELAY_STORE_UNAVAILABLE
   */
  async download (id: DocumentId): Promise<StoredBundle> {
    return await this.#meter.operation('bundle', 'download', () => this.#open(id))
  }

  /** Its manifest and its root document as it is now. @throws RelayError as `download`, or RELAY_BUNDLE_INVALID */
  async slim (id: DocumentId): Promise<Slim> {
    return await this.#meter.operation('bundle', 'slim', async () => {
      for (let attempt = 1; ; attempt++) {
        const stored = await this.#open(id)
        try {
          return await this.#slims.get('stored', id, stored.etag, async () =>
            await cutSlim(await this.#mergedFromStore(id, stored), this.#parts.sync))
        } catch (error) {
          if (attempt === ATTEMPTS || codeOf(error) !== 'RELAY_BUNDLE_CHANGED') throw error
        } finally {
          await stored.close()
        }
      }
    })
  }

  /** All of it as it is now: a stream to be read or destroyed. @throws RelayError as `slim` */
  async live (id: DocumentId): Promise<Readable> {
    return await this.#meter.operation('bundle', 'live', async () => {
      const stored = await this.#open(id)
      try {
        const bundle = await this.#mergedFromStore(id, stored)
        await this.#parts.sync.heads(id) // one whose root has been deleted is none any more
        const stream = streamLive(bundle, this.#parts)
        stream.once('close', () => {
          stored.close().catch(error => { this.#parts.log.warn({ err: error }, 'a stored bundle could not be closed') })
        })
        return stream
      } catch (error) {
        await stored.close()
        throw error
      }
    })
  }

  /**
   * Whether a document is in a stored bundle, as it was uploaded.
   * @throws RelayError RELAY_STORE_UNAVAILABLE, RELAY_BUNDLE_INVALID
   */
  async holds (id: DocumentId, document: DocumentId): Promise<boolean> {
    const stored = await this.#parts.store.open(id)
    if (stored === null) return false
    try {
      return await this.#documents.has(id, stored.etag, document, async () => {
        const { rootId, documents } = await this.#read(stored)
        return [rootId, ...documents]
      })
    } finally {
      await stored.close()
    }
  }

  /** The slim bundle of the one given at the start, or of the blank one; waits until it is merged. */
  async servedSlim (): Promise<Slim & { rootId: DocumentId }> {
    return await this.#meter.operation('bundle', 'served', () => this.#named.servedSlim())
  }

  /** The bundle to start new ones from; must be closed. @throws RelayError RELAY_FILE_NOT_FOUND */
  async blank (): Promise<StoredBundle> {
    return await this.#meter.operation('bundle', 'blank', () => this.#named.blank())
  }

  /** Bytes of slim bundles that are kept ready. */
  get cachedBytes (): number { return this.#slims.bytes }

  /** Whether the store answers and takes bundles. @throws RelayError RELAY_STORE_UNAVAILABLE */
  async check (): Promise<void> {
    await this.#meter.operation('store', 'check', () => this.#parts.store.check())
  }

  async close (): Promise<void> {
    this.#stopListening()
    await this.#named.close()
  }

  async #open (id: DocumentId): Promise<StoredBundle> {
    const stored = await this.#meter.operation('store', 'open', () => this.#parts.store.open(id))
    if (stored === null) throw new RelayError('RELAY_BUNDLE_NOT_FOUND', `Bundle not found: ${id}`)
    return stored
  }

  /** Has an upload let in, and holds on to what was looked at for that. */
  async #admit ({ rootId: id, documents }: Bundle, admission: Admission | undefined): Promise<PutOptions | undefined> {
    if (admission === undefined) return undefined
    const stored = await this.#parts.store.open(id)
    try {
      await admission.permit({ id, documents }, stored)
    } finally {
      await stored?.close()
    }
    return { owner: stored?.owner ?? admission.owner, replaces: stored?.etag ?? null }
  }

  async #read (source: ByteSource): Promise<Bundle> {
    return await Bundle.open(source, this.#parts.options)
  }

  /** A stored bundle, opened, whose documents are in document storage. In a bucket, one request reads them all. */
  async #mergedFromStore (id: DocumentId, stored: StoredBundle): Promise<Bundle> {
    const bundle = await this.#read(stored)
    if (bundle.rootId !== id) throw invalidBundle(`it is stored as ${id} and has the rootId ${bundle.rootId}`)
    await this.#merger.once(id, stored.etag, async () => {
      const stream = stored.stream()
      try {
        await this.#spool.hold(
          { stream, limit: stored.size }, async copy => await this.#merger.merge(await this.#merger.check(copy))
        )
      } finally {
        stream.destroy()
      }
    })
    return bundle
  }

  /**
   * Remembers an upload as merged, if it is what is stored: another relay may have replaced it. Without that it is
   * merged again when it is cut, so a failure is none of the upload's.
   */
  async #markStored (bundle: Bundle): Promise<void> {
    try {
      const stored = await this.#open(bundle.rootId)
      try {
        if (bundle.sameEntries(await this.#read(stored))) await this.#merger.mark(bundle.rootId, stored.etag)
      } finally {
        await stored.close()
      }
    } catch (error) {
      this.#parts.log.warn({ err: error, bundle: bundle.rootId }, `upload to be merged again: ${messageOf(error)}`)
    }
  }
}
