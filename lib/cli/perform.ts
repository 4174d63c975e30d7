import path from 'node:path'
import { AutomergePool } from '../automerge/workers/pool.ts'
import { ObjectBundles } from '../bundles/stores/object-bundles.ts'
import { backUp } from '../maintenance/backup.ts'
import { Check, type CheckSummary } from '../maintenance/check.ts'
import { checkAndRepair } from '../maintenance/repair.ts'
import { restore } from '../maintenance/restore.ts'
import { readStat, statText } from '../maintenance/stat.ts'
import type { BundlePlace, ListedStore } from '../maintenance/stored-bundles.ts'
import type { Perform, Task } from '../concern.ts'
import { RelayError } from '../errors.ts'
import { silent } from '../log.ts'
import { parseOptions, type Options } from '../options.ts'
import type { VaultService } from '../vault/service.ts'

/** What is stored is not all sound. */
const UNSOUND = 2

type Print = Parameters<Perform>[2]
type Places = BundlePlace & { storage: string }

/**
 * Does what a command line asks for with a storage folder, and says what it did.
 * @returns the exit code: 0, or 2 when a check left something as it should not be
 * @throws RelayError RELAY_BAD_OPTION, RELAY_STORAGE_FAILED or RELAY_STORE_UNAVAILABLE
 */
export const perform: Perform = async (task, given, print) => {
  const options = parseOptions(given)
  const store = await s3Store(options)
  const places = {
    storage: path.resolve(options.storage), bundles: path.resolve(options.bundles ?? options.storage), store
  }
  try {
    return await performIn(places, task, options, print)
  } finally {
    await store?.close()
  }
}

/** Where the bundles are, if not in a folder. */
async function s3Store ({ s3 }: Options): Promise<ListedStore | undefined> {
  if (s3 === undefined) return undefined
  const { S3Objects } = await import('../objects/s3-objects.ts')
  return new ObjectBundles(new S3Objects(s3))
}

/** What stands in place of a folder or a file for the vault, and for one of the backups in it. */
const IN_VAULT = /^vault(?::(.+))?$/

type VaultBackups = typeof import('../vault/backup.ts')

/** Works with the vault that the options ask for. */
async function inVault<T> (
  place: string, { vault: settings }: Options,
  work: (parts: VaultBackups & { vault: VaultService, named: string }) => Promise<T>
): Promise<T> {
  if (settings === undefined) {
    throw new RelayError(
      'RELAY_BAD_OPTION',
      'the vault needs --vault-places-file (RELAY_VAULT_PLACES_FILE); a folder of this name is ./vault'
    )
  }
  const [backups, { openVault }] = await Promise.all([import('../vault/backup.ts'), import('../vault/open.ts')])
  const warn = (_fields: object, message: string): void => { process.stderr.write(`tonk-relay: ${message}\n`) }
  const vault = openVault(settings, { ...silent, warn, error: warn })
  try {
    return await work({ ...backups, vault, named: IN_VAULT.exec(place)?.[1] ?? backups.BACKUP })
  } finally {
    await vault.close()
  }
}

async function performIn (
  places: Places, { verb, words: [place = ''], own: { json, repair } }: Task, options: Options, print: Print
): Promise<number> {
  if (verb === 'backup') {
    const { documents, bundles, files, bytes, id } = IN_VAULT.test(place)
      ? await inVault(place, options, async ({ vault, backUpInto }) => await backUpInto(vault, places))
      : { ...await backUp({ ...places, target: place }), id: undefined }
    print(
      `${documents} documents and ${bundles} bundles, ${bytes} bytes in ${files} files, from ${places.storage} to ` +
        `${id === undefined ? place : `vault:${id}`}\n`
    )
  } else if (verb === 'restore') {
    const { files, bytes, createdAt } = IN_VAULT.test(place)
      ? await inVault(place, options, async ({ vault, restoreFrom, named }) => await restoreFrom(vault, named, places))
      : await restore({ ...places, source: place })
    print(`${bytes} bytes in ${files} files, as they were at ${createdAt}, from ${place} to ${places.storage}\n`)
  } else if (verb === 'stat') {
    const stat = await readStat(places)
    print(json === true ? `${JSON.stringify(stat)}\n` : statText(stat))
  } else {
    const summary = await check(repair === true, places, options)
    print(json === true ? `${JSON.stringify(summary)}\n` : checkText(summary))
    if (summary.findings.some(({ kind, repair }) => kind !== 'orphan' && repair === undefined)) return UNSOUND
  }
  return 0
}

async function check (repair: boolean, places: Places, limits: Options): Promise<CheckSummary> {
  const automerge = new AutomergePool()
  try {
    const parts = { ...places, limits, automerge }
    return repair ? await checkAndRepair(parts) : await new Check(parts).run()
  } finally {
    await automerge.close()
  }
}

function checkText ({ documents, bundles, findings }: CheckSummary): string {
  const lines = findings.map(
    ({ kind, name, problem, repair }) => `${kind} ${name}: ${problem}${repair === undefined ? '' : ` (${repair})`}\n`
  )
  return `${lines.join('')}${documents} documents and ${bundles} bundles looked at, ${findings.length} findings\n`
}
