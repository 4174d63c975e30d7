import { RelayError } from '../errors.ts'

const WORD = /^[\w-][\w.-]*$/
const OWNER = '.owner'

/** Whether it is the key of an object: what a folder and a bucket both take, in the same order. */
export const isObjectKey = (key: string): boolean =>
  key.length <= 1024 && !key.endsWith(OWNER) && key.split('/').every(isObjectWord)

/** Whether a key may have it between two slashes; file systems take 255 bytes. */
export const isObjectWord = (word: string): boolean => word.length <= 249 && WORD.test(word)

/** @throws RelayError RELAY_INTERNAL: keys are made here, and are never what somebody sends */
export function checkKey (key: string): string {
  if (!isObjectKey(key)) {
    throw new RelayError('RELAY_INTERNAL', `not the key of an object: ${JSON.stringify(key.slice(0, 100))}`)
  }
  return key
}

/** Beside an object that is a file: the file that says whose it is; without the `.tonk` of a bundle. */
export const ownerOf = (file: string): string => file.replace(/\.tonk$/, '') + OWNER
