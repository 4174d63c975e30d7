import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { ZipFile } from 'yazl'

/** As Tonk's exporter writes entries: 1980-01-01, mode 0644, no extra field. The same contents make the same bytes. */
export const ENTRY = { mtime: new Date(1980, 0, 1), mode: 0o100644, forceDosTimestamp: true } as const

/** Writes a small bundle in memory. */
export async function pack (entries: Iterable<readonly [path: string, bytes: Uint8Array]>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [path, bytes] of entries) zip.addBuffer(asBuffer(bytes), path, ENTRY)
  zip.end()
  return await buffer(zip.outputStream as Readable)
}

export const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)
