/** Doubles a number, or throws when it is none. */
export default async function double (n: number): Promise<number> {
  if (typeof n !== 'number') throw new TypeError('not a number')
  return n * 2
}
