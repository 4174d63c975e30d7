import * as Automerge from '@automerge/automerge'

/** What the clients write to: one of each kind of thing a document can hold. */
export interface Sample {
  text: string
  list: unknown[]
  counts: Record<string, Automerge.Counter>
  map: Record<string, unknown>
}

/** A document as its creator makes it. */
export const blank = (): Sample =>
  ({ text: '', list: [], counts: { a: new Automerge.Counter(0), b: new Automerge.Counter(0) }, map: {} })

const KEYS = 6 // few, so that clients write to the same

/** Changes a document in some way, which depends on what is in it. */
export function edit (doc: Sample, below: (n: number) => number): void {
  const key = `k${below(KEYS)}`
  switch (below(10)) {
    case 0: case 1: case 2:
      Automerge.splice(
        doc as Automerge.Doc<Sample>,
        ['text'],
        below(doc.text.length + 1),
        below(2) * Math.min(below(4), doc.text.length),
        words(below)
      )
      break
    case 3: doc.list.splice(below(doc.list.length + 1), 0, below(1000), words(below)); break
    case 4: doc.list.splice(below(doc.list.length + 1), 1 + below(3)); break
    case 5: if (doc.list.length > 0) doc.list[below(doc.list.length)] = { nested: words(below) }; break
    case 6: doc.counts[below(2) === 0 ? 'a' : 'b']!.increment(below(7) - 3); break
    case 7: delete doc.map[key]; break
    case 8: doc.map[key] = { [`k${below(KEYS)}`]: below(1000) }; break
    case 9: doc.map[key] = below(100) === 0 ? 'x'.repeat(100_000) : words(below); break
  }
}

const words = (below: (n: number) => number): string => 'çonvergence 😀 '.slice(below(8)).repeat(1 + below(3))
