import { TarTarget } from '../maintenance/backup-target.ts'
import { backUp, type BackupOptions, type BackupSummary } from '../maintenance/backup.ts'
import { restore, type RestoreOptions, type RestoreSummary } from '../maintenance/restore.ts'
import type { VaultService } from './service.ts'

/** The name of backups in the vault, each a generation, unless it is asked for by its id. */
export const BACKUP = 'backup'

/**
 * Backs a storage folder up into the vault: one object, the archive that `tonk-relay backup` writes. Nothing of it is
 * kept on this machine's disk.
 * @throws RelayError as `backUp` and `VaultService.put`
 */
export async function backUpInto (
  vault: VaultService, places: Omit<BackupOptions, 'target'>
): Promise<BackupSummary & { id: string }> {
  let id = ''
  const target = new TarTarget(async archive => {
    id = (await vault.put(archive, { kind: 'backup', name: BACKUP, media: 'application/x-tar' })).id
  })
  return { ...await backUp({ ...places, target }), id }
}

/** Restores a backup that is in the vault. @param backup its id, or a name @throws RelayError as `restore` and `get` */
export async function restoreFrom (
  vault: VaultService, backup: string, places: Omit<RestoreOptions, 'source'>
): Promise<RestoreSummary & { id: string }> {
  const { id, bytes } = await vault.get(backup)
  return { ...await restore({ ...places, source: bytes }), id }
}
