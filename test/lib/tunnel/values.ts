type Below = (n: number) => number

const KEYS = [
  'a', 'b', 'value', '__type', '__graph', '$runner.escape::k', '__proto__', 'constructor', '__ref', 'ünï', 'k"\\'
]
const TEXTS = ['', 'text', '__type', '"quoted"', '\\u0041', '☃', '\u2028', '{"__type":"Date"}', '$runner.escape::']
const NUMBERS = [0, -0, 1, -1.5, 1e21, 2 ** 53, Number.MIN_VALUE]

const SPECIAL: Array<(below: Below) => unknown> = [
  below => new Date(below(2 ** 31)),
  () => /x+|y\//gi,
  () => undefined,
  () => NaN,
  () => -Infinity,
  below => BigInt(below(1000)) - 500n,
  () => Symbol.for('key'),
  () => Symbol.iterator,
  () => new URL('http://h/p?q=1#f'),
  () => new URLSearchParams('a=1&b=2'),
  below => Buffer.from([below(256), 255]),
  below => new Uint16Array([below(65536), 1]),
  () => new Float64Array([1.5, NaN]),
  () => new BigUint64Array([2n ** 63n]),
  () => new Uint8Array([1, 2, 3]).buffer,
  () => new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 2)
]

/** Any value the wire can carry, small. */
export function anyValue (below: Below, depth = 3): unknown {
  const pick = <T>(list: T[]): T => list[below(list.length)]!
  const many = <T>(make: () => T): T[] => Array.from({ length: below(4) }, make)
  const nested = () => anyValue(below, depth - 1)
  switch (below(depth > 0 ? 12 : 6)) {
    case 0: return pick(TEXTS)
    case 1: return pick(NUMBERS)
    case 2: return below(2) === 0
    case 3: return null
    case 4:
    case 5: return pick(SPECIAL)(below)
    case 6: return new Map(many(() => [nested(), nested()]))
    case 7: return new Set(many(nested))
    case 8: return many(nested)
    default: return Object.fromEntries(many(() => [pick(KEYS), nested()]))
  }
}

/** Texts as a peer could send them: tags, graphs and other marks where they belong and where not. */
export function anyWire (below: Below, depth = 4): unknown {
  const pick = <T>(list: T[]): T => list[below(list.length)]!
  const nested = () => anyWire(below, depth - 1)
  const record = () => {
    const made: Record<string, unknown> = {}
    for (let n = below(4); n > 0; n--) {
      Object.defineProperty(made, pick(KEYS), { value: nested(), enumerable: true, configurable: true, writable: true })
    }
    return made
  }
  switch (below(depth > 0 ? 10 : 4)) {
    case 0: return pick<unknown>([
      ...TEXTS, ...NUMBERS, 'NaN', '-5', ' 7 ', '1x', '2020-01-01T00:00:00.000Z', 'http://h/', [[1, 2]], [7, 255], [256]
    ])
    case 1: return pick<unknown>([true, null])
    case 2: return pick<unknown>([
      { kind: 'For', key: 'k' },
      { kind: 'WellKnown', key: 'match' },
      { kind: 'WellKnown', key: 'nope' },
      { name: 'E', message: 'm', customFields: { a: 1, toString: 1 } },
      { name: 1 }
    ])
    case 3: return {
      pattern: pick([
        'a', '(a+)+', '(?:a|ab)*', '(a|b)+', 'a{2,}', '(a{2})?', '[(+]+', '(', '\\(a+', '(?=a+)b', '((a|b)+)*', '(|a)+'
      ]),
      flags: pick(['', 'g', 'gg', 'x', 'uv'])
    }
    case 4:
    case 5: return {
      __type: pick([
        'Date', 'RegExp', 'Map', 'Set', 'Undefined', 'NonFiniteNumber', 'BigInt', 'Symbol', 'Error', 'URL', 'Buffer',
        'Uint8Array', 'Int16Array', 'Nope', 5
      ]),
      value: nested()
    }
    case 6: return Array.from({ length: below(4) }, nested)
    case 7: return { __ref: pick(['n1', 'n2', 'n3', 'none', '__proto__']) }
    default: return record()
  }
}

/** {@link anyWire} in the graph form. */
export function anyGraph (below: Below): unknown {
  const node = () => {
    switch (below(4)) {
      case 0: return { kind: 'array', value: [anyWire(below, 2), anyWire(below, 1)] }
      case 1: return { kind: 'type', type: ['Map', 'Set', 'Date', 'Error'][below(4)], value: anyWire(below, 2) }
      case 2: return anyWire(below, 2)
      default: return { kind: 'object', value: { a: anyWire(below, 2), b: anyWire(below, 1) } }
    }
  }
  return { __graph: true, version: 1, root: anyWire(below, 3), nodes: { n1: node(), n2: node(), n3: node() } }
}
