import { createRequire } from 'node:module'
import type { SmallDocument } from '../client.ts'

/** What is used here of Yjs, which is installed with the server that needs it and not with this project. */
export interface YDoc {
  clientID: number
  getText: (name: string) => { insert: (at: number, text: string) => void }
  getMap: (name: string) => { set: (key: string, value: unknown) => void }
  on: (event: 'update', listener: (update: Uint8Array) => void) => void
}

interface Yjs {
  Doc: new () => YDoc
  encodeStateAsUpdate: (doc: YDoc) => Uint8Array
  applyUpdate: (doc: YDoc, update: Uint8Array) => void
  /** How far an update goes, by client id. */
  parseUpdateMeta: (update: Uint8Array) => { to: Map<number, number> }
}

/** Loads it; the server must be installed. */
export const yjs = (): Yjs => createRequire(new URL('../peers/hocuspocus/package.json', import.meta.url))('yjs') as Yjs

export function yjsDocuments (count: number): SmallDocument[] {
  const Y = yjs()
  return Array.from({ length: count }, (_, n) => {
    const doc = new Y.Doc()
    const map = doc.getMap('map')
    map.set('title', `Document ${n}`)
    map.set('items', [1, 2, 3])
    map.set('done', false)
    doc.getText('text').insert(0, 'The quick brown fox jumps over the lazy dog. ')
    return { id: `small-${n}`, content: Y.encodeStateAsUpdate(doc) }
  })
}
