import { Readable } from 'node:stream'
import { crc32, createInflateRaw } from 'node:zlib'
import { fromRandomAccessReaderPromise, type Entry } from 'yauzl'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { BlockReader, type ByteSource } from './block-reader.ts'
import { bundleTooLarge, invalidBundle, quoted } from './refusal.ts'

export interface ArchiveLimits { maxEntries: number, maxEntry: number, maxInflated: number }

/** An entry as the directory has it; sizes in bytes. */
export interface ArchiveEntry {
  readonly name: string
  readonly method: number
  readonly crc32: number
  readonly compressedSize: number
  readonly size: number
  /** Where its local header begins, and where the next entry's does: everything of it lies in between. */
  readonly start: number
  readonly end: number
}

const STORED = 0
const DEFLATED = 8
const ENCRYPTED = 0x41 // flag bits 0 and 6
const LOCAL_HEADER_BYTES = 30 // bytes, without name and extra field
const LOCAL_SIGNATURE = 0x04034b50
const MAX_EXTRA_BYTES = 0xffff
const MAX_NAME_BYTES = 255
const OVERLAPS = 'overlaps what follows it'

/**
 * A ZIP file read by its directory (APPNOTE.TXT 6.3.10), zip64 included. What the directory says is held against what
 * is there: an entry that inflates to more or less than declared, overlaps another or fails its CRC-32 is refused, so
 * the limits on declared sizes are limits on real ones.
 */
export class Archive {
  readonly entries: ReadonlyMap<string, ArchiveEntry>
  readonly #reader: BlockReader

  private constructor (reader: BlockReader, entries: Map<string, ArchiveEntry>) {
    this.#reader = reader
    this.entries = entries
  }

  /**
   * Reads the directory and nothing else.
   * @throws RelayError RELAY_BUNDLE_INVALID, RELAY_BUNDLE_TOO_LARGE, or what the source fails with.
   */
  static async open (source: ByteSource, limits: ArchiveLimits): Promise<Archive> {
    const reader = new BlockReader(source)
    try {
      return new Archive(reader, byName(await readDirectory(reader, source.size, limits)))
    } catch (error) {
      if (reader.failure !== undefined) throw reader.failure
      throw error instanceof RelayError ? error : invalidBundle(messageOf(error), error)
    }
  }

  /**
   * An entry's bytes, inflated and checked; one read of the source.
   * @throws RelayError RELAY_BUNDLE_INVALID naming the entry, or what the source fails with.
   */
  async read (entry: ArchiveEntry): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(entry.size)
    if (entry.method === STORED) await fill(bytes, this.#data(entry), entry)
    else await this.#inflate(bytes, entry)
    return bytes
  }

  async #inflate (bytes: Buffer, entry: ArchiveEntry): Promise<void> {
    // Not `pipeline`: zlib stops at the end of its stream, and what follows there would look like an abort.
    const data = Readable.from(this.#data(entry), { objectMode: false })
    const inflater = createInflateRaw()
    data.on('error', error => inflater.destroy(error))
    try {
      await fill(bytes, data.pipe(inflater), entry)
    } catch (error) {
      throw codeOf(error)?.startsWith('Z_') === true ? damaged(entry, `is damaged: ${messageOf(error)}`) : error
    } finally {
      data.destroy()
    }
    if (inflater.bytesWritten !== entry.compressedSize) {
      throw damaged(entry, 'is followed by bytes that are not its own')
    }
  }

  /** An entry's bytes as they are in the file. */
  async * #data (entry: ArchiveEntry): AsyncGenerator<Buffer> {
    // A local header can have a longer extra field than the directory. The range is read to its end in any case, which
    // is cheaper than a connection broken off.
    const longest = entry.start + smallest(entry) + MAX_EXTRA_BYTES
    const stream = this.#reader.stream({ start: entry.start, end: Math.min(entry.end, longest) })
    let header: Buffer = Buffer.alloc(0)
    let left = -1
    for await (const chunk of stream) {
      let data: Buffer = chunk
      if (left < 0) {
        header = Buffer.concat([header, chunk])
        const length = headerLength(header, entry)
        if (length === undefined) continue
        if (entry.start + length + entry.compressedSize > entry.end) throw damaged(entry, OVERLAPS)
        left = entry.compressedSize
        data = header.subarray(length)
      }
      if (left > 0) yield data.subarray(0, left)
      left = Math.max(0, left - data.length)
    }
    if (left !== 0) throw damaged(entry, 'is cut short')
  }
}

async function readDirectory (reader: BlockReader, size: number, limits: ArchiveLimits): Promise<ArchiveEntry[]> {
  // Names stay bytes: yauzl would turn backslashes into slashes. Nothing is open that would need closing.
  const zip = await fromRandomAccessReaderPromise(reader, size, { autoClose: false, decodeStrings: false })
  if (zip.entryCount > limits.maxEntries) {
    throw bundleTooLarge(`${zip.entryCount} entries, at most ${limits.maxEntries} are taken`)
  }
  const found: Omit<ArchiveEntry, 'end'>[] = []
  let inflated = 0
  for await (const entry of zip.eachEntry()) {
    const taken = takeEntry(entry, limits)
    inflated += taken.size
    if (inflated > limits.maxInflated) throw bundleTooLarge(`more than ${limits.maxInflated} bytes when inflated`)
    found.push(taken)
  }
  const ordered = found.sort((a, b) => a.start - b.start)
  return ordered.map((entry, n) => {
    const end = ordered[n + 1]?.start ?? size
    if (entry.start + smallest(entry) > end) throw damaged(entry, n + 1 < ordered.length ? OVERLAPS : 'is cut short')
    return { ...entry, end }
  })
}

/** Bytes an entry takes in the file when its local header has no extra field. */
const smallest = (entry: Omit<ArchiveEntry, 'end'>): number =>
  LOCAL_HEADER_BYTES + entry.name.length + entry.compressedSize

function takeEntry (entry: Entry, limits: ArchiveLimits): Omit<ArchiveEntry, 'end'> {
  const taken = {
    name: entry.fileNameRaw.toString('latin1'),
    method: entry.compressionMethod,
    crc32: entry.crc32,
    compressedSize: entry.compressedSize,
    size: entry.uncompressedSize,
    start: entry.relativeOffsetOfLocalHeader
  }
  if (taken.name.length > MAX_NAME_BYTES) throw invalidBundle(`entry ${quoted(taken.name)} has too long a name`)
  if ((entry.generalPurposeBitFlag & ENCRYPTED) !== 0) throw damaged(taken, 'is encrypted')
  if (taken.method !== STORED && taken.method !== DEFLATED) {
    throw damaged(taken, `has compression method ${taken.method}`)
  }
  if (taken.size > limits.maxEntry) {
    throw bundleTooLarge(`entry ${quoted(taken.name)} has ${taken.size} bytes, at most ${limits.maxEntry} are taken`)
  }
  return taken
}

function byName (entries: ArchiveEntry[]): Map<string, ArchiveEntry> {
  const named = new Map(entries.map(entry => [entry.name, entry]))
  if (named.size === entries.length) return named
  const twice = entries.find(entry => named.get(entry.name) !== entry)!
  throw damaged(twice, 'is in it twice')
}

/** The length of a local header, or undefined while it is not all there. */
function headerLength (bytes: Buffer, entry: ArchiveEntry): number | undefined {
  if (bytes.length < LOCAL_HEADER_BYTES) return undefined
  const nameEnd = LOCAL_HEADER_BYTES + bytes.readUInt16LE(26)
  const length = nameEnd + bytes.readUInt16LE(28)
  if (bytes.readUInt32LE(0) !== LOCAL_SIGNATURE) throw damaged(entry, 'is not where the directory says')
  if (bytes.length < length) return undefined
  if (bytes.toString('latin1', LOCAL_HEADER_BYTES, nameEnd) !== entry.name || bytes.readUInt16LE(8) !== entry.method) {
    throw damaged(entry, 'is not what the directory says')
  }
  return length
}

/** Fills a buffer of the declared size, and refuses the first byte too many. */
async function fill (bytes: Buffer, data: AsyncIterable<Buffer>, entry: ArchiveEntry): Promise<void> {
  let at = 0
  let crc = 0
  for await (const chunk of data) {
    if (at + chunk.length > bytes.length) throw damaged(entry, 'is larger than declared')
    chunk.copy(bytes, at)
    crc = crc32(chunk, crc)
    at += chunk.length
  }
  if (at < bytes.length) throw damaged(entry, 'is smaller than declared')
  if (crc !== entry.crc32) throw damaged(entry, 'fails its CRC-32')
}

const damaged = ({ name }: { name: string }, problem: string): RelayError =>
  invalidBundle(`entry ${quoted(name)} ${problem}`)
