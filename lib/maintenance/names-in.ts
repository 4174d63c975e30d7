import { readdir } from 'node:fs/promises'
import { codeOf } from '../errors.ts'

/** The names in a folder that end so; none when there is no such folder. */
export async function namesIn (folder: string, ending = ''): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(name => name.endsWith(ending))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
}
