import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Test } from 'tap'

const FOLDER = '../shared/vault-vectors'

export const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The generator that the vectors' data come of. */
export function lcg (length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0
    return state >>> 24
  })
}

/** A file of vectors; undefined, and the test is skipped, in a checkout that stands alone. */
export async function vectors<T> (t: Test, name: string): Promise<T | undefined> {
  if (existsSync(`${FOLDER}/${name}`)) return JSON.parse(await readFile(`${FOLDER}/${name}`, 'utf8')) as T
  t.comment(`skipped: there is no ${FOLDER}/${name}`)
  return undefined
}
