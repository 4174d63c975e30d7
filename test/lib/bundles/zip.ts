import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { crc32, deflateRawSync } from 'node:zlib'
import { ZipFile, type EndOptions, type FileOptions } from 'yazl'

export type Entries = ReadonlyArray<readonly [path: string, bytes?: Uint8Array]>

/** A well-made ZIP; a path that ends in `/` is a folder, as JSZip writes them. `streamed`: with data descriptors. */
export async function zip (
  entries: Entries,
  { streamed = false, comment = '', ...options }: Partial<FileOptions & EndOptions> & { streamed?: boolean } = {}
): Promise<Buffer> {
  const file = new ZipFile()
  for (const [path, bytes = Buffer.alloc(0)] of entries) {
    if (path.endsWith('/')) file.addEmptyDirectory(path)
    else if (streamed) file.addReadStream(Readable.from([bytes], { objectMode: false }), path, options)
    else file.addBuffer(Buffer.from(bytes), path, options)
  }
  file.end({ forceZip64Format: options.forceZip64Format ?? false, comment })
  return await buffer(file.outputStream as Readable)
}

/** An entry of a hand-made ZIP: true to its `bytes` but for what is given. */
export interface OddEntry {
  name: string
  bytes?: Uint8Array
  method?: number
  /** what is in the file instead of the (deflated) bytes */
  raw?: Uint8Array
  flags?: number
  crc?: number
  size?: number
  compressedSize?: number
  /** where the directory says it is */
  offset?: number
  /** in the local header */
  localName?: string
  localExtra?: Uint8Array
  /** in the directory */
  extra?: Uint8Array
}

export interface OddZip {
  prefix?: Uint8Array
  /** offsets count from after the prefix, as if it were not there */
  blind?: boolean
  suffix?: Uint8Array
  /** entries according to the end record */
  count?: number
  disk?: number
}

/** A ZIP with anything wrong. */
export function oddZip (
  entries: OddEntry[],
  { prefix = Buffer.alloc(0), blind = false, suffix = Buffer.alloc(0), count = entries.length, disk = 0 }: OddZip = {}
): Buffer {
  const parts: Uint8Array[] = [prefix]
  const directory: Buffer[] = []
  const base = blind ? prefix.length : 0
  const at = () => parts.reduce((sum, part) => sum + part.length, 0) - base
  for (const entry of entries) {
    const {
      name, bytes = Buffer.alloc(0), method = 8, flags = 0, localName = name, localExtra = Buffer.alloc(0),
      extra = Buffer.alloc(0)
    } = entry
    const raw = entry.raw ?? (method === 8 ? deflateRawSync(bytes) : bytes)
    const { crc = crc32(bytes), size = bytes.length, compressedSize = raw.length, offset = at() } = entry
    const common = Buffer.alloc(24)
    for (const [value, place] of [[20, 0], [flags, 2], [method, 4], [0x21, 8]] as const) {
      common.writeUInt16LE(value, place)
    }
    for (const [value, place] of [[crc, 10], [compressedSize, 14], [size, 18]] as const) {
      common.writeUInt32LE(value, place)
    }
    common.writeUInt16LE(name.length, 22)

    const local = Buffer.concat([
      Buffer.from('PK\x03\x04'), common, Buffer.alloc(2), Buffer.from(localName, 'latin1'), localExtra, raw
    ])
    local.writeUInt16LE(localName.length, 26)
    local.writeUInt16LE(localExtra.length, 28)
    parts.push(local)

    const central = Buffer.concat([
      Buffer.from('PK\x01\x02\x14\x00'), common, Buffer.alloc(16), Buffer.from(name, 'latin1'), extra
    ])
    central.writeUInt16LE(extra.length, 30)
    central.writeUInt32LE(offset, 42)
    directory.push(central)
  }
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(disk, 4)
  end.writeUInt16LE(count, 8)
  end.writeUInt16LE(count, 10)
  end.writeUInt32LE(directory.reduce((sum, { length }) => sum + length, 0), 12)
  end.writeUInt32LE(at(), 16)
  return Buffer.concat([...parts, ...directory, end, suffix])
}

/** The entries of a ZIP by name, read by the directory with nothing but this file's own knowledge. */
export const namesIn = (bytes: Uint8Array): string[] => {
  const file = Buffer.from(bytes)
  const names: string[] = []
  for (let at = file.readUInt32LE(file.length - 22 + 16); file.readUInt32LE(at) === 0x02014b50;) {
    const length = file.readUInt16LE(at + 28)
    names.push(file.toString('latin1', at + 46, at + 46 + length))
    at += 46 + length + file.readUInt16LE(at + 30) + file.readUInt16LE(at + 32)
  }
  return names
}
