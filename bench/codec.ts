// What reading and writing one live edit costs here and in Automerge's WASM, warm, in turns in one process:
//   node --import tsx bench/codec.ts [rounds]
import * as Automerge from '@automerge/automerge'
import { readChange } from '../lib/automerge/format/change.ts'
import { decodeSyncMessage, encodeSyncMessage, FLAGS, type SyncMessage } from '../lib/wire/sync-message.ts'

const EDITS = 1000
const ROUNDS = Number(process.argv[2] ?? 9)

let doc = Automerge.from<{ list: string[] }>({ list: [] })
const edits = Array.from({ length: EDITS }, (_, n) => {
  doc = Automerge.change(doc, d => { d.list.push(`item ${n}`) })
  const heads = Automerge.getHeads(doc)
  const change = Buffer.from(Automerge.getLastLocalChange(doc)!)
  const message: SyncMessage = {
    version: 2,
    heads,
    need: [],
    have: [{ lastSync: heads, bloom: new Uint8Array(0) }],
    changes: [change],
    flags: FLAGS.supportsSyncReset
  }
  const bytes = Buffer.from(encodeSyncMessage(message))
  const answer = Buffer.from(encodeSyncMessage({ ...message, changes: [] }))
  return { change, message, bytes, answer, theirs: Automerge.decodeSyncMessage(bytes) }
})
doc = Automerge.change(doc, d => { d.list.push(...Array.from({ length: 1000 }, (_, n) => `item ${n}`)) })
const large = Buffer.from(Automerge.getLastLocalChange(doc)!)

type Edit = typeof edits[number]
const work: Record<string, [ours: (edit: Edit) => unknown, theirs: (edit: Edit) => unknown, every: number]> = {
  'read a change of few operations': [
    ({ change }) => readChange(change), ({ change }) => Automerge.decodeChange(change), 1
  ],
  'read a change of 1,000s': [() => readChange(large), () => Automerge.decodeChange(large), 100],
  'decode a message with a change': [
    ({ bytes }) => decodeSyncMessage(bytes), ({ bytes }) => Automerge.decodeSyncMessage(bytes), 1
  ],
  'decode an answer seen before': [
    () => decodeSyncMessage(edits[0]!.answer), () => Automerge.decodeSyncMessage(edits[0]!.answer), 1
  ],
  'encode a message with a change': [
    ({ message }) => encodeSyncMessage(message), ({ theirs }) => Automerge.encodeSyncMessage(theirs), 1
  ]
}

/** Microseconds a call. */
function time (call: (edit: Edit) => unknown, every: number): number {
  const start = performance.now()
  for (let n = 0; n < EDITS; n += every) call(edits[n]!)
  return (performance.now() - start) * 1000 / (EDITS / every)
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!

const table = Object.entries(work).map(([name, [ours, theirs, every]]) => {
  const times = { ours: [] as number[], theirs: [] as number[] }
  for (let n = -3; n < ROUNDS; n++) {
    const [a, b] = [time(ours, every), time(theirs, every)]
    if (n < 0) continue // warming up
    times.ours.push(a)
    times.theirs.push(b)
  }
  return {
    '': name,
    'relay (us)': Number(median(times.ours).toFixed(2)),
    'Automerge (us)': Number(median(times.theirs).toFixed(2))
  }
})
console.table(table)
console.log(
  `changes of ${edits[0]!.change.length} and ${large.length} bytes, messages of ${edits[0]!.bytes.length} and ` +
    `${edits[0]!.answer.length}; median of ${ROUNDS} rounds of ${EDITS}; Node ${process.version}`
)
