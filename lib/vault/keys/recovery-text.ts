import { createHash } from 'node:crypto'
import { KEY_BYTES } from '../../ces/cipher/cipher.ts'
import { RelayError } from '../../errors.ts'

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ' // Crockford's: no I, L, O, U
const ALIKE: Record<string, string> = { I: '1', L: '1', O: '0' }
const CHECKSUM_BYTES = 4
const PREFIX = 'RV1'
const GROUP = 6

/** A key as people can write it down: `RV1-` and groups of letters and digits, the last of which prove the others. */
export function toRecoveryText (key: Uint8Array): string {
  const digits = encode(Buffer.concat([key, checksum(key)]))
  return [PREFIX, ...digits.match(new RegExp(`.{1,${GROUP}}`, 'g'))!].join('-')
}

/**
 * The key that a recovery text stands for. Spaces, line ends, dashes and case do not matter, nor O for 0 or I for 1.
 * @throws RelayError RELAY_BAD_OPTION that says what is wrong with it
 */
export function fromRecoveryText (text: string): Uint8Array {
  const plain = text.toUpperCase().replace(/[\s-]/g, '')
  const bad = (why: string): RelayError =>
    new RelayError('RELAY_BAD_OPTION', `not the recovery text of a vault: ${why}`)
  if (!plain.startsWith(PREFIX)) throw bad(`it begins with ${PREFIX}`)
  const digits = [...plain.slice(PREFIX.length)].map(digit => ALIKE[digit] ?? digit)
  const strange = digits.find(digit => !DIGITS.includes(digit))
  if (strange !== undefined) throw bad(`there is no ${strange} in one`)
  const expected = Math.ceil(((KEY_BYTES + CHECKSUM_BYTES) * 8) / 5)
  if (digits.length !== expected) {
    throw bad(`it has ${digits.length} letters and digits after ${PREFIX} instead of ${expected}`)
  }
  const bytes = decode(digits.join(''))
  const key = bytes.subarray(0, KEY_BYTES)
  if (!checksum(key).equals(bytes.subarray(KEY_BYTES))) throw bad('a letter is wrong, or two have changed places')
  return key
}

const checksum = (key: Uint8Array): Buffer =>
  createHash('sha256').update('RVKR').update(key).digest().subarray(0, CHECKSUM_BYTES)

function encode (bytes: Uint8Array): string {
  const bits = [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{1,5}/g) ?? []).map(five => DIGITS[parseInt(five.padEnd(5, '0'), 2)]).join('')
}

function decode (digits: string): Buffer {
  const bits = [...digits].map(digit => DIGITS.indexOf(digit).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map(byte => parseInt(byte, 2)))
}
