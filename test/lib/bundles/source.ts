import type { Readable } from 'node:stream'
import { OpenedObject } from '../../../lib/objects/opened-object.ts'
import type { ByteRange, StoredBundle } from '../../../lib/bundles/stores/store.ts'

/** A bundle whose bytes are in memory; `reads` has the range of every request to it. */
export function sourceOf (bytes: Uint8Array, chunk = 64 * 1024): StoredBundle & { reads: ByteRange[], read: number } {
  const reads: ByteRange[] = []
  const opened = new OpenedObject({
    size: bytes.length,
    etag: '"memory"',
    modified: new Date(0),
    read: async function * (range) {
      reads.push(range)
      for (let at = range.start; at < range.end; at += chunk) {
        source.read += Math.min(chunk, range.end - at)
        yield bytes.subarray(at, Math.min(range.end, at + chunk))
      }
    },
    release: async () => {}
  })
  const source = {
    size: opened.size,
    etag: opened.etag,
    modified: opened.modified,
    reads,
    read: 0,
    stream: (range?: ByteRange): Readable => opened.stream(range),
    close: () => opened.close()
  }
  return source
}
