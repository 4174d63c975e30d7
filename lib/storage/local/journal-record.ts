import { crc32 } from 'node:zlib'
import type { DocumentId } from '../../ids.ts'
import type { ChangeRecord } from '../change-log.ts'

/**
 * One record of the journal: 4 bytes length of what follows the checksum, 4 bytes CRC-32 of it (both little-endian),
 * then 1 byte length of the document id, the id as text, and the changes: whole Automerge chunks; none when the
 * document was deleted. With the highest bit of the id's length the rest is not changes but the name of a stored chunk,
 * as text.
 */
const HEADER = 8
const IS_NAME = 0x80
const NOTHING = new Uint8Array()

export function encodeRecord ({ id, changes, chunk }: ChangeRecord): Buffer {
  const name = Buffer.from(id)
  const rest = chunk === undefined ? changes : Buffer.from(chunk)
  const record = Buffer.allocUnsafe(HEADER + 1 + name.length + rest.length)
  record[HEADER] = chunk === undefined ? name.length : name.length | IS_NAME
  record.set(name, HEADER + 1)
  record.set(rest, HEADER + 1 + name.length)
  const body = record.subarray(HEADER)
  record.writeUInt32LE(body.length, 0)
  record.writeUInt32LE(crc32(body), 4)
  return record
}

/**
 * Reads records until the bytes end or stop being records, as a crash in the middle of a write leaves them.
 * @returns the records (views) and how many bytes they take
 */
export function decodeRecords (bytes: Buffer): { records: ChangeRecord[], end: number } {
  const records: ChangeRecord[] = []
  let at = 0
  while (bytes.length - at > HEADER) {
    const length = bytes.readUInt32LE(at)
    const body = bytes.subarray(at + HEADER, at + HEADER + length)
    const first = body[0] ?? 0
    const name = first & ~IS_NAME
    if (length === 0 || body.length < length || name >= length || crc32(body) !== bytes.readUInt32LE(at + 4)) break
    const id = body.toString('latin1', 1, 1 + name) as DocumentId
    const rest = body.subarray(1 + name)
    records.push(first === name ? { id, changes: rest } : { id, changes: NOTHING, chunk: rest.toString('latin1') })
    at += HEADER + length
  }
  return { records, end: at }
}

/**
 * Whether bytes that are not a record are the beginning of one, or nothing but the zeros of a file that was never
 * filled.
 */
export function isCutShort (bytes: Buffer): boolean {
  if (bytes.length === 0) return false
  return bytes.length <= HEADER || bytes.length - HEADER < bytes.readUInt32LE(0) || bytes.every(byte => byte === 0)
}
