import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { codeOf, messageOf } from '../../errors.ts'
import type { Gap } from '../pipeline/gap.ts'
import { firstNumberOf, readManifest, sealedName, type Manifest } from '../store/manifest.ts'
import { ArchivedFiles, type ArchivedFilesParts } from './archived-files.ts'

/** What was found of sealed files: whether nothing is missing between the first record and the last. */
export interface Verdict {
  files: number
  rows: number
  firstNumber: number
  lastNumber: number
  /** Parts of the stream that no server had, as was known when they were sealed */
  gaps: Gap[]
  /** In words; empty when each file is what was sealed, and each begins where the one before it ends */
  problems: string[]
}

interface Files {
  names: () => Promise<readonly string[]>
  manifest: (name: string) => Promise<Manifest>
  measure: (name: string) => Promise<{ sha256: string, bytes: number }>
}

/** Files of a feed's own folder of records. */
export const verifyRecords = async (folder: string): Promise<Verdict> => await verify({
  async names () {
    const all = await readdir(folder).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [] as string[]
      throw error
    })
    return all.filter(name => firstNumberOf(name) !== undefined && sealedName(name) === undefined)
      .sort((a, b) => firstNumberOf(a)! - firstNumberOf(b)!)
  },
  async manifest (name) {
    const manifest = await readManifest(path.join(folder, `${name}.json`))
    if (manifest === undefined) throw new Error('it has no manifest')
    return manifest
  },
  async measure (name) {
    const hash = createHash('sha256')
    let bytes = 0
    await pipeline(createReadStream(path.join(folder, name)), async chunks => {
      for await (const chunk of chunks) {
        bytes += (chunk as Buffer).length
        hash.update(chunk as Buffer)
      }
    })
    return { sha256: hash.digest('hex'), bytes }
  }
})

/** Files of an archive. */
export async function verifyArchive (parts: ArchivedFilesParts): Promise<Verdict> {
  const files = new ArchivedFiles(parts)
  try {
    return await verify(files)
  } finally {
    await files.close()
  }
}

async function verify (files: Files): Promise<Verdict> {
  const verdict: Verdict = { files: 0, rows: 0, firstNumber: 0, lastNumber: 0, gaps: [], problems: [] }
  let before: Manifest | undefined
  for (const name of await files.names()) {
    try {
      const manifest = await files.manifest(name)
      const { sha256, bytes } = await files.measure(name)
      if (sha256 !== manifest.sha256 || bytes !== manifest.bytes) {
        verdict.problems.push(`${name} is not what was sealed`)
      }
      verdict.problems.push(...touching(before, manifest))
      verdict.gaps.push(...manifest.gaps)
      verdict.files++
      verdict.rows += manifest.rows
      verdict.firstNumber = before === undefined ? manifest.firstNumber : verdict.firstNumber
      verdict.lastNumber = manifest.lastNumber
      before = manifest
    } catch (error) {
      verdict.problems.push(`${name}: ${messageOf(error)}`)
    }
  }
  return verdict
}

/** What is wrong with a file as the next after another. */
function touching (before: Manifest | undefined, { file, rows, firstNumber, lastNumber, from }: Manifest): string[] {
  const problems = rows === lastNumber - firstNumber + 1
    ? []
    : [`${file} has ${rows} records for the numbers ${firstNumber} to ${lastNumber}`]
  if (before === undefined) return problems
  if (firstNumber !== before.lastNumber + 1) {
    return [...problems, `records ${before.lastNumber + 1} to ` +
    `${firstNumber - 1} are missing, between ${before.file} and ${file}`]
  }
  const isSame = from !== null && before.to !== null &&
    from.host === before.to.host && from.cursor === before.to.cursor && from.timeUs === before.to.timeUs
  return isSame ? problems : [...problems, `${file} does not begin where ${before.file} ends`]
}
