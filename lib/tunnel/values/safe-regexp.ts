/** Characters a pattern from the wire may have. */
const MAX_PATTERN_LENGTH = 1024

const FLAGS = /^(?!.*(.).*\1)[dgimsuvy]*$/
const QUANTIFIER = /[*+?]|\{(?:\d+,?\d*|,\d+)\}/y
const GROUP_PREFIX = /^\?(?:[:=!>]|<[=!]|<[^>]+>)/

interface Group { start: number, bars: number[], repeats: boolean }

/**
 * A regular expression from the wire, refused when matching with it could take exponential time: a repeated group that
 * repeats inside (`(a+)+`), or whose alternatives start alike (`(a|ab)*`).
 * @throws Error saying what is wrong
 */
export function readRegExp (pattern: unknown, flags: unknown): RegExp {
  if (typeof pattern !== 'string' || typeof flags !== 'string') throw new Error('a RegExp is a pattern and flags')
  if (pattern.length > MAX_PATTERN_LENGTH) throw new Error(`a RegExp has at most ${MAX_PATTERN_LENGTH} characters`)
  if (!FLAGS.test(flags)) throw new Error('a RegExp has unknown or repeated flags')
  if (mayExplode(pattern)) throw new Error('a RegExp that can take exponential time')
  return new RegExp(pattern, flags)
}

const isQuantifier = (pattern: string, index: number): boolean => {
  QUANTIFIER.lastIndex = index
  return QUANTIFIER.test(pattern)
}

function mayExplode (pattern: string): boolean {
  const open: Group[] = []
  let inClass = false
  for (let index = 0; index < pattern.length; index++) {
    const char = pattern[index]
    const group = open.at(-1)
    if (char === '\\') index++
    else if (inClass) inClass = char !== ']'
    else if (char === '[') inClass = true
    else if (char === '(') open.push({ start: index + 1, bars: [], repeats: false })
    else if (char === '|') group?.bars.push(index)
    else if (char === ')') {
      open.pop()
      if (group === undefined) continue
      if (isQuantifier(pattern, index + 1) && (group.repeats || startAlike(branches(pattern, group, index)))) {
        return true
      }
      const outer = open.at(-1)
      if (outer !== undefined && group.repeats) outer.repeats = true
    } else if (group !== undefined && isQuantifier(pattern, index) && !(char === '?' && index === group.start)) {
      group.repeats = true
    }
  }
  return false
}

/** The alternatives of a group that ends at `end`, without its `?:` and the like. */
function branches (pattern: string, { start, bars }: Group, end: number): string[] {
  const edges = [start - 1, ...bars, end]
  const texts = bars.length === 0 ? [] : edges.slice(1).map((edge, n) => pattern.slice(edges[n]! + 1, edge))
  return texts.map((text, n) => n === 0 ? text.replace(GROUP_PREFIX, '') : text)
}

/** Whether one begins with another; the empty one begins them all. */
const startAlike = (texts: string[]): boolean =>
  texts.some((text, n) => texts.some((other, m) => n !== m && other.startsWith(text)))
