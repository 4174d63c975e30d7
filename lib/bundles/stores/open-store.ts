import type { Log } from '../../log.ts'
import type { Options } from '../../options.ts'
import { FolderStore } from './folder-store.ts'
import type { BundleStore } from './store.ts'

/**
 * The bundle store that the options ask for, not yet checked: the host's own, S3, or a folder. The AWS SDK is loaded
 * only for S3. `owned`: whether it is the caller's to close.
 */
export async function openStore ({ store, s3, bundles, storage }: Options, log: Log): Promise<{ store: BundleStore, owned: boolean }> {
  if (store !== undefined) return { store, owned: false }
  if (s3 !== undefined) {
    const { S3Store } = await import('./s3-store.ts')
    return { store: new S3Store(s3), owned: true }
  }
  return { store: new FolderStore({ folder: bundles ?? storage, log }), owned: true }
}
