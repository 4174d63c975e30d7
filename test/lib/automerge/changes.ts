import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import * as Automerge from '@automerge/automerge'
import { leb } from '../../fuzz.ts'

interface Sample { [key: string]: unknown, text: string, list: unknown[], count: Automerge.Counter }

const actor = (byte: number): string => byte.toString(16).padStart(2, '0').repeat(16)

/** A document with values of all kinds and several authors; each time the same. */
export function sampleDocument (): Automerge.Doc<Sample> {
  const change = (doc: Automerge.Doc<Sample>, time: number, callback: (doc: Sample) => void, message?: string) =>
    Automerge.change(doc, { time, ...message === undefined ? {} : { message } }, callback)
  let doc = change(Automerge.init<Sample>({ actor: actor(0x22) }), 1_700_000_000, d => {
    d.text = 'hello'
    d.list = [1, -2, 2 ** 40, 1.5, 'text', true, false, null, new Date(0), new Uint8Array([1, 2, 3]), {
      nested: { deep: [] }
    }]
    d.count = new Automerge.Counter(3)
  }, 'ünïcödé 😀')
  doc = change(doc, 0, d => {
    d.count.increment(2)
    delete d['nothing']
    d.list.splice(1, 3, 'new')
    Automerge.splice(d, ['text'], 1, 2, 'zwei')
    Automerge.mark(d, ['text'], { start: 1, end: 3, expand: 'both' }, 'bold', true)
  })
  const forks = [0x11, 0x33, 0x44].map((byte, n) =>
    change(Automerge.clone(doc, { actor: actor(byte) }), -5 * n, d => {
      d.list.push(byte)
      d['same'] = n
      d.text = `text ${n}`
    }))
  for (const fork of forks) doc = Automerge.merge(doc, fork)
  doc = change(doc, 2 ** 40, d => { d['same'] = 'merged'; d.list.splice(0, 5); d['ключ'] = 'значение' })
  doc = Automerge.emptyChange(doc, { time: 1, message: 'nothing' })
  doc = change(doc, 1, d => { d['large'] = Array.from({ length: 500 }, (_, n) => `item ${n % 7}`) })
  doc = Automerge.merge(doc, change(Automerge.init<Sample>({ actor: 'ab' }), 1, d => { d['other'] = 1 }))
  return change(doc, 1, d => { d['long'] = 'x'.repeat(3000) }, 'm'.repeat(300))
}

/** A chunk around contents, its checksum right. */
export function seal (type: number, contents: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from([type, ...leb(contents.length)]), contents])
  const checksum = createHash('sha256').update(body).digest().subarray(0, 4)
  return Buffer.concat([Buffer.from([0x85, 0x6f, 0x4a, 0x83]), checksum, body])
}

/** What is in a chunk. */
export function contentsOf (chunk: Uint8Array): Buffer {
  let at = 9
  while (chunk[at]! >= 0x80) at++
  return Buffer.from(chunk.subarray(at + 1))
}

/** A compressed chunk with the checksum of a change, made of any bytes. */
export const compressedChunk = (change: Uint8Array, body: Uint8Array): Buffer =>
  Buffer.concat([change.subarray(0, 8), Buffer.from([2, ...leb(body.length)]), body])

/** A change as a compressed chunk. */
export const compress = (change: Uint8Array): Buffer => compressedChunk(change, deflateRawSync(contentsOf(change)))
