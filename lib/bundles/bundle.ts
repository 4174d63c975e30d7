import type { DocumentId } from '../ids.ts'
import type { Options } from '../options.ts'
import { Archive, type ArchiveEntry } from './file/archive.ts'
import type { ByteSource } from './file/block-reader.ts'
import { parseEntryPath } from './file/entry-path.ts'
import { MANIFEST_PATH, MAX_MANIFEST_BYTES, parseManifest, type Manifest } from './file/manifest.ts'
import { bundleTooLarge, invalidBundle } from './file/refusal.ts'

export type BundleLimits = Pick<Options, 'maxEntries' | 'maxDocument' | 'maxInflated'>

/** A bundle opened for reading: its directory and manifest are in memory, documents are read when asked for. */
export class Bundle {
  readonly manifest: Manifest
  /** The manifest as it is in the file: it may hold keys nobody here knows. */
  readonly manifestBytes: Uint8Array
  readonly #archive: Archive
  readonly #chunks: ReadonlyMap<DocumentId, ArchiveEntry[]>

  private constructor (archive: Archive, manifestBytes: Uint8Array, chunks: Map<DocumentId, ArchiveEntry[]>) {
    this.#archive = archive
    this.#chunks = chunks
    this.manifestBytes = manifestBytes
    this.manifest = parseManifest(manifestBytes)
  }

  /**
   * Reads and checks the directory, every path in it and the manifest; no document.
   * @throws RelayError RELAY_BUNDLE_INVALID, RELAY_BUNDLE_TOO_LARGE, or what the source fails with.
   */
  static async open (source: ByteSource, { maxEntries, maxDocument, maxInflated }: BundleLimits): Promise<Bundle> {
    const archive = await Archive.open(
      source, { maxEntries, maxInflated, maxEntry: Math.max(maxDocument, MAX_MANIFEST_BYTES) }
    )
    const manifest = archive.entries.get(MANIFEST_PATH)
    if (manifest === undefined) throw invalidBundle(`${MANIFEST_PATH} not found`)
    if (manifest.size > MAX_MANIFEST_BYTES) {
      throw bundleTooLarge(`${MANIFEST_PATH} has ${manifest.size} bytes, at most ${MAX_MANIFEST_BYTES} are taken`)
    }
    const chunks = groupChunks(archive, maxDocument)
    return new Bundle(archive, await archive.read(manifest), chunks)
  }

  get rootId (): DocumentId { return this.manifest.rootId }

  /** The documents in it, in the order they have in the file. */
  get documents (): DocumentId[] { return [...this.#chunks.keys()] }

  /**
   * A document's Automerge chunks; none when it is not in the bundle.
   * @throws RelayError RELAY_BUNDLE_INVALID naming the entry, or what the source fails with.
   */
  async chunks (id: DocumentId): Promise<Uint8Array[]> {
    const chunks: Uint8Array[] = []
    for (const entry of this.#chunks.get(id) ?? []) chunks.push(await this.#archive.read(entry))
    return chunks
  }

  /** Whether another bundle has the same entries with the same contents, by size and CRC-32. */
  sameEntries (other: Bundle): boolean {
    const [ours, theirs] = [this.#archive.entries, other.#archive.entries]
    return ours.size === theirs.size && [...ours.values()].every(({ name, size, crc32 }) => {
      const entry = theirs.get(name)
      return entry?.size === size && entry.crc32 === crc32
    })
  }
}

function groupChunks (archive: Archive, maxDocument: number): Map<DocumentId, ArchiveEntry[]> {
  const chunks = new Map<DocumentId, ArchiveEntry[]>()
  for (const entry of archive.entries.values()) {
    const id = entry.name === MANIFEST_PATH ? undefined : parseEntryPath(entry.name)?.id
    if (id === undefined) continue
    const others = chunks.get(id)
    if (others === undefined) chunks.set(id, [entry])
    else others.push(entry)
  }
  for (const [id, entries] of chunks) {
    const size = entries.reduce((sum, entry) => sum + entry.size, 0)
    if (size > maxDocument) throw bundleTooLarge(`document ${id} has ${size} bytes, at most ${maxDocument} are taken`)
  }
  return chunks
}
