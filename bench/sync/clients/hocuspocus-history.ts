import { randomBytes } from 'node:crypto'
import type { HistoryOptions } from '../client.ts'
import { yjs } from './yjs.ts'

const SEED_CLIENT = 1
const FIRST_WRITER = 1_000_000 // client ids of the writers follow

/** The edits of one document as Yjs's updates. */
export interface History {
  id: string
  writers: number
  seed: Uint8Array
  updates: Uint8Array[]
  /** The newest edit of each writer in an update; -1 when it has none. */
  editsIn: (update: Uint8Array) => number[]
}

export function hocuspocusHistory ({ seed, edits, writers, blob, document }: HistoryOptions): History {
  if (document !== undefined) throw new Error('an Automerge document is no Yjs document')
  const Y = yjs()
  const base = new Y.Doc()
  base.clientID = SEED_CLIENT
  for (let n = 0; n < seed; n++) base.getText('text').insert(n, 'abcdefghij '[n % 11]!)
  const past = Y.encodeStateAsUpdate(base)
  const updates: Uint8Array[] = []
  for (let writer = 0; writer < writers; writer++) {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, past)
    doc.clientID = FIRST_WRITER + writer
    let next = writer
    doc.on('update', update => { updates[next] = update })
    for (let typed = 0; next < edits; next += writers, typed++) {
      if (blob > 0) doc.getMap('map').set('blob', new Uint8Array(randomBytes(blob)))
      else doc.getText('text').insert(seed + typed, 'x')
    }
  }
  const editsIn = (update: Uint8Array): number[] => {
    const found: number[] = []
    for (const [client, clock] of Y.parseUpdateMeta(update).to) {
      const writer = client - FIRST_WRITER
      if (writer >= 0 && writer < writers) found.push(writer + (clock - 1) * writers)
    }
    return found
  }
  return { id: `document-${randomBytes(8).toString('hex')}`, writers, seed: past, updates, editsIn }
}
