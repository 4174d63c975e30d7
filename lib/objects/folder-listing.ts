import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../errors.ts'
import { isObjectKey, isObjectWord } from './object-key.ts'

/**
 * The keys of the files below a folder that begin with `prefix` and come after `after`, in their order. Reads only the
 * folders that may have some. Files whose names are no object's are nobody's.
 */
export async function * keysIn (root: string, prefix: string, after = ''): AsyncGenerator<string> {
  yield * keysBelow(root, prefix.slice(0, prefix.lastIndexOf('/') + 1), prefix, after)
}

async function * keysBelow (root: string, folder: string, prefix: string, after: string): AsyncGenerator<string> {
  for (const name of await sortedNames(root, folder)) {
    if (!name.endsWith('/')) {
      if (name > after && name.startsWith(prefix) && isObjectKey(name)) yield name
    } else if ((name.startsWith(prefix) || prefix.startsWith(name)) && (name > after || after.startsWith(name))) {
      yield * keysBelow(root, name, prefix, after)
    }
  }
}

/** Of folders with the slash that their files' keys have there: `a.b` comes before `a/b`. */
async function sortedNames (root: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true }).catch(error => {
    if (codeOf(error) === 'ENOENT' && folder !== '') return [] // nothing was stored there yet
    throw error
  })
  const known = entries.filter(({ name }) => isObjectWord(name))
  return known.map(entry => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`).sort()
}
