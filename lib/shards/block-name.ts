import { createHash } from 'node:crypto'
import { RelayError } from '../errors.ts'

const NAME = /^[0-9a-f]{64}$/

export const isBlockName = (name: string): boolean => NAME.test(name)

/** The SHA-256 of a block's bytes, in hex. */
export const blockName = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** @throws RelayError RELAY_SHARD_INVALID */
export function checkBlockName (name: string): string {
  if (!isBlockName(name)) {
    throw new RelayError(
      'RELAY_SHARD_INVALID',
      'a block is named by the SHA-256 of its bytes: 64 digits of 0-9 and a-f'
    )
  }
  return name
}

/** @throws RelayError RELAY_SHARD_INVALID for bytes of another name */
export function checkBlock (name: string, bytes: Uint8Array): void {
  const found = blockName(bytes)
  if (found !== checkBlockName(name)) {
    throw new RelayError('RELAY_SHARD_INVALID', `the SHA-256 of the bytes is ${found}, and not ${name}`)
  }
}
