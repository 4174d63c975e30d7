import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { RelayError, codeOf, messageOf } from '../errors.ts'

/** A file of a backup; its body is to be read before the next is asked for. */
export interface SourceFile { path: string, body: AsyncIterable<Uint8Array> }

const PART = /^(?!\.{1,2}$)[\w.-]{1,200}$/
const MAX_PARTS = 6

const invalid = (problem: string, cause?: unknown): RelayError =>
  new RelayError('RELAY_BAD_OPTION', `not a backup: ${problem}`, { cause })

/**
 * The files of a backup: a folder, a `.tar` archive, or the bytes of one. Whoever has made it: paths lead nowhere else,
 * and there is nothing but files.
 * @throws RelayError RELAY_BAD_OPTION
 */
export async function * openSource (source: string | AsyncIterable<Uint8Array>): AsyncGenerator<SourceFile> {
  for await (const file of typeof source === 'string' ? namedFiles(source) : archiveFiles(source)) {
    const parts = file.path.split('/')
    if (parts.length > MAX_PARTS || !parts.every(part => PART.test(part))) {
      throw invalid(`it has a file ${JSON.stringify(file.path.slice(0, 200))}`)
    }
    yield file
  }
}

async function * namedFiles (name: string): AsyncGenerator<SourceFile> {
  const facts = await stat(name).catch(cause => {
    throw codeOf(cause) === 'ENOENT' ? new RelayError('RELAY_BAD_OPTION', `there is no ${name}`, { cause }) : cause
  })
  yield * facts.isDirectory() ? folderFiles(name) : archiveFiles(createReadStream(name))
}

async function * folderFiles (folder: string): AsyncGenerator<SourceFile> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue
    const place = path.join(entry.parentPath, entry.name)
    const name = path.relative(folder, place).split(path.sep).join('/')
    if (!entry.isFile()) throw invalid(`${JSON.stringify(name)} is no file`)
    yield { path: name, body: createReadStream(place) }
  }
}

async function * archiveFiles (bytes: AsyncIterable<Uint8Array>): AsyncGenerator<SourceFile> {
  const extract = tar.extract()
  const read = pipeline(bytes, extract)
  read.catch(() => {}) // the loop below gets the error
  try {
    for await (const entry of extract) {
      const { name, type } = entry.header
      if (type !== 'file') throw invalid(`${JSON.stringify(name.slice(0, 200))} is a ${type}`)
      yield { path: name, body: readable(entry as AsyncIterable<Uint8Array>) }
    }
  } catch (error) {
    throw error instanceof RelayError ? error : invalid(messageOf(error), error)
  }
}

/** An entry's bytes; that there are fewer than it says is the archive's fault. */
async function * readable (entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield * entry
  } catch (error) {
    throw invalid(messageOf(error), error)
  }
}
