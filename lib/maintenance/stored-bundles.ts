import path from 'node:path'
import { BUNDLES, bundleKey, idOfKey } from '../bundles/stores/key.ts'
import { ObjectBundles } from '../bundles/stores/object-bundles.ts'
import { bundleFile } from '../bundles/named/named-bundle.ts'
import type { BundleStore, StoredBundle } from '../bundles/stores/store.ts'
import { FolderObjects } from '../objects/folder-objects.ts'
import { namesIn } from './names-in.ts'

/** A store that tells what it has. */
export type ListedStore = BundleStore & Required<Pick<BundleStore, 'list'>>

/** Where the bundles are. */
export interface BundlePlace {
  /** Folder whose `bundles/` holds them */
  bundles: string
  /** What holds them in its place */
  store?: ListedStore | undefined
}

/** A stored bundle, not opened. `file` is where it is, if that is in a folder. */
export interface BundleEntry { name: string, file?: string, open (): Promise<StoredBundle | null> }

const PAGE = 1_000

/**
 * All bundles, in a folder also those under a name that is no bundle's. Throws what the disk throws, or
 * RELAY_STORE_UNAVAILABLE.
 */
export async function * storedBundles ({ bundles, store }: BundlePlace): AsyncGenerator<BundleEntry> {
  if (store === undefined) yield * inFolder(bundles)
  else yield * inStore(store)
}

async function * inFolder (folder: string): AsyncGenerator<BundleEntry> {
  const store = new ObjectBundles(new FolderObjects({ folder }))
  for (const name of await namesIn(path.join(folder, BUNDLES), '.tonk')) {
    const [file, id] = [path.join(folder, BUNDLES, name), idOfKey(BUNDLES + name)]
    yield { name, file, open: async () => id === undefined ? await bundleFile(file).open() : await store.open(id) }
  }
}

async function * inStore (store: ListedStore): AsyncGenerator<BundleEntry> {
  let after: string | undefined
  do {
    const page = await store.list({ after, limit: PAGE })
    for (const { id } of page) {
      yield { name: bundleKey(id).slice(BUNDLES.length), open: async () => await store.open(id) }
    }
    after = page.length < PAGE ? undefined : page.at(-1)!.id
  } while (after !== undefined)
}
