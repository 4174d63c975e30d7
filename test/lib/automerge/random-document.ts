import * as Automerge from '@automerge/automerge'

type Doc = Automerge.Doc<Record<string, unknown>>
type Below = (n: number) => number

const actor = (n: number): string => (0x10 + n).toString(16).repeat(16)
const KEYS = ['a', 'b', 'ключ', 'a long key that is longer than others']

/** A document of several authors with everything that clients do: each time the same for the same numbers. */
export function randomDocument (below: Below): Doc {
  const authors = 1 + below(4)
  let docs: Doc[] = [Automerge.init({ actor: actor(below(200)) })]
  docs[0] = Automerge.change(docs[0]!, { time: 0 }, d => {
    Object.assign(d, {
      map: { a: 1, inner: { b: 'text' } },
      list: [1, 'two', { three: 3 }, [4]],
      text: 'some text',
      count: new Automerge.Counter(below(100))
    })
    if (below(2) === 0) d['counts'] = [new Automerge.Counter(1)]
  })
  for (let n = 1; n < authors; n++) docs.push(Automerge.clone(docs[0]!, { actor: actor(below(200)) }))
  docs = docs.filter(
    (doc, n) => docs.findIndex(other => Automerge.getActorId(other) === Automerge.getActorId(doc)) === n
  )
  for (let n = 2 + below(12); n > 0; n--) {
    const at = below(docs.length)
    const doc = docs[at]!
    const kind = below(8)
    if (kind === 0 && docs.length > 1) docs[at] = Automerge.merge(doc, docs[(at + 1) % docs.length]!)
    else if (kind === 1) docs[at] = Automerge.emptyChange(doc, { time: below(2 ** 31), message: 'nothing' })
    else {
      docs[at] = Automerge.change(doc, {
        time: below(100) - 50, ...below(3) === 0 ? { message: 'ünïcödé' } : {}
      }, d => {
        for (let n = 1 + below(4); n > 0; n--) edit(d, below)
      })
    }
  }
  for (let n = 1; n < docs.length; n++) if (below(4) > 0) docs[0] = Automerge.merge(docs[0]!, docs[n]!)
  return docs[0]!
}

function value (below: Below): unknown {
  const values = [
    () => below(300) - 150, () => 2 ** below(53), () => -(2 ** below(53)), () => below(1000) / 7, () => 'text',
    () => '', () => 'x'.repeat(below(300)), () => true, () => false,
    () => null, () => new Date(below(2 ** 31) * 1000), () => Uint8Array.from([1, 2, below(256)]),
    () => new Uint8Array(0), () => new Automerge.Counter(below(10)), () => new Automerge.ImmutableString('plain'),
    () => ({}), () => ({ a: [], b: { c: 'd' } }), () => [1, [2, [3]]],
    () => Array.from({ length: below(40) }, (_, n) => n >> 2), () => NaN, () => Infinity,
    () => new Automerge.Uint(below(100)), () => '😀 emoji'
  ]
  return values[below(values.length)]!()
}

function edit (d: Record<string, unknown>, below: Below): void {
  const { map, list, text, count } =
    d as { map?: Record<string, unknown>, list?: unknown[], text?: string, count?: Automerge.Counter }
  const key = KEYS[below(KEYS.length)]!
  switch (below(13)) {
    case 0: d[key] = value(below); break
    case 1: if (map !== undefined) map[key] = value(below); break
    case 2: if (map !== undefined) delete map[key]; break
    case 3: list?.splice(below(list.length + 1), below(3), value(below), value(below)); break
    case 4: if (list !== undefined && list.length > 0) list[below(list.length)] = value(below); break
    case 5: if (list !== undefined && list.length > 0) list.splice(below(list.length), 1 + below(3)); break
    case 6:
    case 7: if (typeof text === 'string') {
      const at = below(text.length + 1)
      Automerge.splice(d, ['text'], at, below(Math.min(3, text.length - at) + 1), below(2) === 0 ? 'typed' : '')
    } break
    case 8: if (typeof text === 'string' && text.length > 1) {
      const start = below(text.length - 1)
      const range = {
        start,
        end: start + 1 + below(text.length - start),
        expand: (['before', 'after', 'both', 'none'] as const)[below(4)]!
      }
      if (below(4) > 0) {
        Automerge.mark(
          d, ['text'], range, ['bold', 'link'][below(2)]!, below(3) > 0 ? below(2) === 0 : 'https://example.com'
        )
      } else Automerge.unmark(d, ['text'], range, 'bold')
    } break
    case 9: if (count instanceof Automerge.Counter) count.increment(below(20) - 10); break
    case 10: if (typeof text === 'string' && text.length > 0) {
      Automerge.splitBlock(d, ['text'], below(text.length), { type: 'paragraph' })
    } break
    case 11: if (below(3) === 0) delete d[key]; break
    case 12: if (below(4) === 0) d['text'] = 'another'
  }
}
