import { readFileSync } from 'node:fs'

/**
 * The text of a file that somebody wrote, without the byte order mark that some editors begin it with.
 * @throws what the file system says; TypeError for UTF-16, which the shell of Windows writes
 */
export function readText (file: string): string {
  const bytes = readFileSync(file)
  if (bytes.length >= 2 && ['fffe', 'feff'].includes(bytes.toString('hex', 0, 2))) {
    throw new TypeError('is written as UTF-16: save it as UTF-8')
  }
  return withoutMark(bytes.toString())
}

export const withoutMark = (text: string): string => text.replace(/^\uFEFF/, '')

/**
 * What a text says in JSON. Node's own words on what is wrong quote the text, which may hold secrets.
 * @throws TypeError saying where it is wrong
 */
export function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const [where = ''] = / at position \d+( \(line \d+ column \d+\))?/.exec((error as Error).message) ?? []
    throw new TypeError(`is not valid JSON${where}`)
  }
}
