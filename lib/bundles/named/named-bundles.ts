import { RelayError, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { Log } from '../../log.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import { Bundle, type BundleLimits } from '../bundle.ts'
import type { Merger } from '../merger.ts'
import type { SlimCache } from '../slim-cache.ts'
import { cutSlim, type Slim } from '../slim.ts'
import { withNamed, type NamedBundle } from './named-bundle.ts'
import type { StoredBundle } from '../stores/store.ts'

export interface NamedBundlesParts {
  sync: SyncEngine
  merger: Merger
  slims: SlimCache
  limits: BundleLimits
  log: Log
}

/**
 * The two bundles that the options name: the one that is served, and the blank one to start new ones from.
 * They are read at the start, so that what is no bundle stops it, and merged afterwards, however long that takes.
 */
export class NamedBundles {
  readonly #parts: NamedBundlesParts
  readonly #given: NamedBundle
  readonly #blank: NamedBundle
  #served: { etag: string, rootId: DocumentId } | undefined
  readonly #closing = new AbortController()
  #merging: Promise<void> = Promise.resolve()
  #state: 'merging' | 'merged' | { failure: unknown } = 'merging'

  /** @param served may be the blank one */
  constructor (served: NamedBundle, blank: NamedBundle, parts: NamedBundlesParts) {
    this.#parts = parts
    this.#given = served
    this.#blank = blank
  }

  /** @throws RelayError RELAY_FILE_NOT_FOUND, RELAY_BUNDLE_INVALID, RELAY_BUNDLE_TOO_LARGE, with the bundle's name */
  async open (): Promise<void> {
    for (const bundle of new Set([this.#given, this.#blank])) await withNamed(bundle, opened => this.#read(opened))
    this.#merging = this.#merge()
  }

  /** Resolves when they are merged or cannot be, which `check` then tells. */
  async merged (): Promise<void> {
    await this.#merging
  }

  /** @throws RelayError RELAY_NOT_READY while they are merged, or why they could not be */
  check (): void {
    if (this.#state === 'merging') throw new RelayError('RELAY_NOT_READY', 'the served bundle is being merged')
    if (this.#state !== 'merged') throw this.#state.failure
  }

  /** The slim bundle of the one that is served. It waits for the merge. A file replaced since is read again. */
  async servedSlim (): Promise<Slim & { rootId: DocumentId }> {
    const file = await this.#given.open()
    try {
      const rootId = await this.#servedRoot(file)
      const cut = async (): Promise<Slim> => await cutSlim(await this.#read(file), this.#parts.sync)
      return { ...await this.#parts.slims.get('served', rootId, file.etag, cut), rootId }
    } finally {
      await file.close()
    }
  }

  /** The bundle to start new ones from; must be closed. @throws RelayError RELAY_FILE_NOT_FOUND */
  async blank (): Promise<StoredBundle> {
    return await this.#blank.open()
  }

  /** Ends the merge after the document it is at. What is left is merged at the next start. */
  async close (): Promise<void> {
    this.#closing.abort(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    await this.#merging
  }

  async #merge (): Promise<void> {
    const results = await Promise.allSettled([
      withNamed(this.#given, file => this.#servedRoot(file)),
      withNamed(this.#blank, file => this.#mergeFile('blank', file))
    ])
    const failures = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    this.#state = failures[0] === undefined ? 'merged' : { failure: failures[0].reason }
    if (this.#closing.signal.aborted) return
    for (const { reason } of failures) {
      this.#parts.log.error({ err: reason }, `a bundle could not be merged into document storage: ${messageOf(reason)}`)
    }
  }

  async #read (file: StoredBundle): Promise<Bundle> {
    return await Bundle.open(file, this.#parts.limits)
  }

  /** Checks and merges a file, unless this version has been; gives its root's id. */
  async #mergeFile (name: 'served' | 'blank', file: StoredBundle): Promise<DocumentId> {
    const { merger } = this.#parts
    const { signal } = this.#closing
    await merger.once(name, file.etag, async () => { await merger.merge(await merger.check(file, signal), signal) })
    return (await this.#read(file)).rootId
  }

  async #servedRoot (file: StoredBundle): Promise<DocumentId> {
    if (this.#served?.etag === file.etag) return this.#served.rootId
    const rootId = await this.#mergeFile('served', file)
    this.#served = { etag: file.etag, rootId }
    return rootId
  }
}
