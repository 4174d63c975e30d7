const ALPHABET = '234567abcdefghijklmnopqrstuvwxyz'
const TID = /^[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}$/
const CLOCK = 2 ** 10 // values of the last 10 bits, which are the clock's id

/**
 * ms since 1970 that a record key tells, if it is a TID (https://atproto.com/specs/tid); its writer may have made it
 * up.
 */
export function timeOfTid (rkey: string): number | undefined {
  if (!TID.test(rkey)) return undefined
  let bits = 0n
  for (const letter of rkey) bits = bits * 32n + BigInt(ALPHABET.indexOf(letter))
  return Number(bits / BigInt(CLOCK)) / 1_000
}
