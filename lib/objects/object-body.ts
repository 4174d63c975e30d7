import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { RelayError } from '../errors.ts'
import type { ObjectBody, ObjectFile } from './object-store.ts'

export const isFile = (body: ObjectBody): body is ObjectFile =>
  !(body instanceof Readable) && !(body instanceof Uint8Array)

/**
 * A body as a stream, or as the bytes that it is.
 * @param sha256 in hex: with other bytes the stream fails at its end, before anybody takes it for whole
 * @throws RelayError RELAY_CHECKSUM_MISMATCH for other bytes
 */
export function openBody (body: ObjectBody, sha256: string | undefined): Uint8Array | Readable {
  if (body instanceof Uint8Array) {
    if (sha256 !== undefined) compare(createHash('sha256').update(body), sha256)
    return body
  }
  const stream = isFile(body) ? createReadStream(body.path) : body
  return sha256 === undefined ? stream : Readable.from(verified(stream, sha256), { objectMode: false })
}

/** Reads a file for its SHA-256. @throws RelayError RELAY_CHECKSUM_MISMATCH, or what the disk says */
export async function verifyFile (file: ObjectFile, sha256: string): Promise<void> {
  await finished((openBody(file, sha256) as Readable).resume())
}

async function * verified (stream: Readable, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    hash.update(chunk)
    yield chunk
  }
  compare(hash, sha256)
}

function compare (hash: Hash, sha256: string): void {
  const found = hash.digest('hex')
  if (found !== sha256.toLowerCase()) {
    throw new RelayError('RELAY_CHECKSUM_MISMATCH', `the SHA-256 of the bytes is ${found}, and not ${sha256}`)
  }
}
