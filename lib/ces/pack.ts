import { RelayError } from '../errors.ts'
import { concat } from './cipher/cipher.ts'

/** What is shorter is packed with others: as an object of its own it would take k + m shards of next to nothing. */
export const PACKED_BELOW = 64 * 1024

/** Something small in a pack. `about` is any JSON object, of which the pack knows nothing. */
export interface Member {
  readonly about: Readonly<Record<string, unknown>>
  readonly bytes: Uint8Array
}

const MAGIC = new Uint8Array([0x52, 0x56, 0x50, 0x31]) // RVP1

/**
 * Small things as one: `RVP1`, the length of the list (u32 LE), the list as JSON (`[{ about, length }]`), their bytes
 * one after the other.
 */
export function pack (members: readonly Member[]): Uint8Array {
  const list = new TextEncoder().encode(
    JSON.stringify(members.map(({ about, bytes }) => ({ about, length: bytes.length })))
  )
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, list.length, true)
  return concat([MAGIC, length, list, ...members.map(({ bytes }) => bytes)])
}

/** What `pack` made. The bytes of the members are views. @throws RelayError RELAY_VAULT_DAMAGED */
export function unpack (packed: Uint8Array): Member[] {
  if (packed.length < 8 || !MAGIC.every((byte, at) => packed[at] === byte)) throw damaged()
  let at = 8 + new DataView(packed.buffer, packed.byteOffset).getUint32(4, true)
  if (at > packed.length) throw damaged()
  const members = listOf(packed.subarray(8, at)).map(({ about, length }) => {
    const bytes = packed.subarray(at, (at += length))
    if (bytes.length !== length) throw damaged()
    return { about, bytes }
  })
  if (at !== packed.length) throw damaged()
  return members
}

function listOf (bytes: Uint8Array): Array<{ about: Record<string, unknown>; length: number }> {
  let list: unknown
  try {
    list = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw damaged(cause)
  }
  if (!Array.isArray(list) || !list.every(isEntry)) throw damaged()
  return list
}

const isEntry = (entry: unknown): boolean => {
  const { about, length } = Object(entry) as Record<string, unknown>
  return typeof about === 'object' && about !== null && Number.isInteger(length) && (length as number) >= 0
}

const damaged = (cause?: unknown): RelayError =>
  new RelayError('RELAY_VAULT_DAMAGED', 'not a pack, or one that is damaged', { cause })
