import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import { random } from '../../fuzz.ts'
import { unzip } from '../../unzip.ts'
import { sampleDocument } from './changes.ts'
import { randomDocument } from './random-document.ts'

const fixtures = path.resolve(import.meta.dirname, '../../../../shared/fixtures')

/** Documents that clients made: ours, and those of other software when its files are there. Each is its chunks. */
export async function honestDocuments (): Promise<Uint8Array[][]> {
  const below = random(3)
  const ours = [sampleDocument(), large(), ...Array.from({ length: 30 }, () => randomDocument(below))].map(doc => [
    Automerge.save(doc)
  ])
  return [...ours, ...await bundled(), ...await stored()]
}

/** Texts and lists, written and cut here and there; and more objects than a byte counts. */
function large (): Automerge.Doc<unknown> {
  const below = random(4)
  let doc = Automerge.from<{ text: string, rows: object[] }>({ text: '', rows: [] }, { actor: 'cc'.repeat(16) })
  for (let n = 0; n < 60; n++) {
    doc = Automerge.change(doc, { time: 0 }, d => {
      const at = below(d.text.length + 1)
      Automerge.splice(d, ['text'], at, Math.min(below(20), d.text.length - at), 'some more text '.repeat(1 + below(5)))
      d.rows.splice(below(d.rows.length + 1), below(2), { id: n, done: false, tags: ['a', 'b'] }, { id: -n })
    })
  }
  return doc
}

async function bundled (): Promise<Uint8Array[][]> {
  const folder = path.join(fixtures, 'tonk')
  const names = await readdir(folder).catch(() => [])
  const bundles = await Promise.all(names.filter(name => name.endsWith('.tonk')).map(async name => await unzip(
    await readFile(path.join(folder, name))
  )))
  return bundles.flatMap(files => [...files].filter(([name]) => name.startsWith('storage/')).map(([, bytes]) => [
    bytes
  ]))
}

async function stored (): Promise<Uint8Array[][]> {
  const folder = path.join(fixtures, 'samod-storage')
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = names.filter(name => name.includes('incremental/'))
  const documents = [...new Set(files.map(path.dirname))]
  return await Promise.all(documents.map(async document =>
    await Promise.all(
      files.filter(name => path.dirname(name) === document).map(async name => await readFile(path.join(folder, name)))
    )))
}
