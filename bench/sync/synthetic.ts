import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'

/**
 * Large documents that are made up: the same each time, made once and kept in the system's folder for temporary files.
 * They are not recordings of anybody's work.
 */
export interface Synthetic { document: Uint8Array, head: string }

const FOLDER = path.join(os.tmpdir(), 'relay-bench')
const ACTOR = 'aa'.repeat(16)
const OBJECT = `1@${ACTOR}` // what the first change makes
const EPOCH = 1_700_000_000
const APPLIED_AT_ONCE = 10_000

type Operation = Automerge.DecodedChange['ops'][number]

/** Changes of one operation each, written without a document: some thirty times quicker than making them in one. */
class Chain {
  readonly changes: Uint8Array[] = []
  head: string
  #operations = 1

  constructor (first: Automerge.Doc<unknown>) {
    this.head = Automerge.getHeads(first)[0]!
  }

  /** @returns the operation's id */
  add (operation: object): string {
    const startOp = ++this.#operations
    const change = Automerge.encodeChange({
      actor: ACTOR,
      seq: startOp,
      startOp,
      time: EPOCH + startOp,
      message: null,
      deps: [this.head],
      ops: [operation as Operation],
      hash: null
    } as unknown as Automerge.DecodedChange)
    this.head = createHash('sha256').update(change.subarray(8)).digest('hex') // after the magic bytes and the checksum
    this.changes.push(change)
    return `${startOp}@${ACTOR}`
  }
}

async function made (name: string, make: () => Synthetic): Promise<Synthetic> {
  const file = path.join(FOLDER, name)
  try {
    return { document: await readFile(`${file}.automerge`), head: await readFile(`${file}.head`, 'utf8') }
  } catch {
    console.error(`making ${file}.automerge, once`)
    const { document, head } = make()
    await mkdir(FOLDER, { recursive: true })
    // the document last: it is looked for first
    for (const [end, content] of [['head', head], ['automerge', document]] as const) {
      await writeFile(`${file}.${process.pid}`, content)
      await rename(`${file}.${process.pid}`, `${file}.${end}`)
    }
    return { document, head }
  }
}

function finish (doc: Automerge.Doc<unknown>, { changes, head }: Chain): Synthetic {
  for (let at = 0; at < changes.length; at += APPLIED_AT_ONCE) {
    [doc] = Automerge.applyChanges(doc, changes.slice(at, at + APPLIED_AT_ONCE))
  }
  if (Automerge.getHeads(doc)[0] !== head) throw new Error('the changes made do not follow one another')
  return { document: Automerge.save(doc), head }
}

/** Text that was typed a character a change, in bursts at moving places with three of ten characters deleted again. */
export async function typedText (operations: number): Promise<Synthetic> {
  return await made(`text-${operations}`, () => {
    const doc = Automerge.change(Automerge.init<{ text: string }>({ actor: ACTOR }), { time: EPOCH }, d => {
      d.text = ''
    })
    const chain = new Chain(doc)
    const elements: string[] = []
    let random = 1
    // Park and Miller's
    const below = (bound: number): number => { random = (random * 48_271) % 2_147_483_647; return random % bound }
    let cursor = 0
    for (let n = 0; n < operations; n++) {
      if (below(40) === 0) cursor = below(elements.length + 1)
      if (below(10) < 3 && cursor > 0) {
        const [id] = elements.splice(--cursor, 1)
        chain.add({ action: 'del', obj: OBJECT, elemId: id, pred: [id] })
      } else {
        const id = chain.add({
          action: 'set',
          obj: OBJECT,
          elemId: elements[cursor - 1] ?? '_head',
          insert: true,
          value: 'etaoin shrdlu'[below(13)],
          pred: []
        })
        elements.splice(cursor++, 0, id)
      }
    }
    return finish(doc, chain)
  })
}

/** A list that grew by 40 hexadecimal digits a change: about 20 bytes each, stored. */
export async function longList (changes: number): Promise<Synthetic> {
  return await made(`list-${changes}`, () => {
    const doc = Automerge.change(Automerge.init<{ list: string[] }>({ actor: ACTOR }), { time: EPOCH }, d => {
      d.list = []
    })
    const chain = new Chain(doc)
    for (let n = 0, previous = '_head'; n < changes; n++) {
      const value = createHash('sha1').update(String(n)).digest('hex')
      previous = chain.add({ action: 'set', obj: OBJECT, elemId: previous, insert: true, value, pred: [] })
    }
    return finish(doc, chain)
  })
}
