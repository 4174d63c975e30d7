/** Of some texts, the first `limit` in order that fit. However many there are, few are ever put in order. */
export function firstOf<Text extends string> (
  texts: Iterable<Text>, limit: number, fits: (text: Text) => boolean
): Text[] {
  let first: Text[] = []
  let last: Text | undefined
  for (const text of texts) {
    if (!fits(text) || (last !== undefined && text > last)) continue
    first.push(text)
    if (first.length < 2 * limit) continue
    first = first.sort().slice(0, limit)
    last = first.at(-1)
  }
  return first.sort().slice(0, limit)
}
