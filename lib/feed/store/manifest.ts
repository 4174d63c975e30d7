import { readFile } from 'node:fs/promises'
import { codeOf } from '../../errors.ts'
import type { Gap } from '../pipeline/gap.ts'
import { asPosition, type Position } from '../position.ts'

/** What a sealed file holds. Beside it as `<file>.json`, here and in an archive. */
export interface Manifest {
  readonly version: 1
  readonly file: string
  readonly rows: number
  readonly firstNumber: number
  readonly lastNumber: number
  readonly firstTimeUs: number
  readonly lastTimeUs: number
  /** Where the stream stood before its first record: where the file before it ends. Null of the very first */
  readonly from: Position | null
  readonly to: Position | null
  /** Parts of the stream between the two that nobody had any more */
  readonly gaps: readonly Gap[]
  readonly sealedAt: string
  /** Of the file as it is here, before it is compressed for an archive */
  readonly bytes: number
  readonly sha256: string
}

const NAME = /^feed_\d{8}T\d{6}Z_(\d{15})\.db$/

/** `feed_<UTC time>_<first number>.db`: in the order of their names they are in the order of their records. */
export const fileName = (firstNumber: number, at: Date): string =>
  `feed_${at.toISOString().replace(/[-:]|\.\d+/g, '')}_${String(firstNumber).padStart(15, '0')}.db`

/** What a file is called as long as it is written to. */
export const openName = (name: string): string => name.replace(/\.db$/, '.open.db')

/** @returns undefined for a file that is not written to */
export const sealedName = (name: string): string | undefined =>
  name.endsWith('.open.db') ? name.replace(/\.open\.db$/, '.db') : undefined

/** The number that a file of records may begin with. @returns undefined for another file */
export function firstNumberOf (name: string): number | undefined {
  const match = NAME.exec(sealedName(name) ?? name)
  return match === null ? undefined : Number(match[1])
}

/** @returns undefined when there is none. @throws Error when it is not one */
export async function readManifest (file: string): Promise<Manifest | undefined> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  return parseManifest(text)
}

/** @throws Error when it is none */
export function parseManifest (text: string): Manifest {
  const manifest = JSON.parse(text) as Manifest | null
  const counts = [
    manifest?.rows, manifest?.firstNumber, manifest?.lastNumber, manifest?.bytes, manifest?.firstTimeUs,
    manifest?.lastTimeUs
  ]
  const isOne = manifest?.version === 1 &&
    counts.every(Number.isSafeInteger) && /^[0-9a-f]{64}$/.test(String(manifest.sha256))
  if (!isOne || firstNumberOf(manifest.file) === undefined || !Array.isArray(manifest.gaps)) {
    throw new Error('not a manifest of a file of records')
  }
  return { ...manifest, from: asPosition(manifest.from) ?? null, to: asPosition(manifest.to) ?? null }
}
