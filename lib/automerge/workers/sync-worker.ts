import { getHeapStatistics } from 'node:v8'
import { parentPort, type TransferListItem } from 'node:worker_threads'
import * as Automerge from '@automerge/automerge'
import { messageOf } from '../../errors.ts'
import { SyncDocument, type SyncMode, type SyncResult } from './sync-document.ts'

// Runs in a worker thread (see sync-thread.ts): one answer to each job, in order.

/** `session` is the number of a session, which has one document. */
export type SyncJob = { session: number } & (
  { name: 'open', chunks: Uint8Array[], maxHeld: number, again: string[] } |
  { name: 'receive', peer: string, message: Uint8Array, mode?: SyncMode | undefined } |
  { name: 'update', chunks: Uint8Array[] } |
  { name: 'generate', peer: string, mode?: SyncMode | undefined } |
  { name: 'leave', peer: string } |
  { name: 'close' }
)

/** Changes as one buffer and their lengths: thousands of buffers would take the receiver long. */
export interface SyncAnswer extends Omit<SyncResult, 'changes'> { joined: Uint8Array<ArrayBuffer>, lengths: number[] }

/** `ready` comes once, when jobs can be done; `memory` is the thread's, in bytes and outside its heap: the WASM's. */
export type SyncReport = 'ready' | { memory: number } & ({ answer: SyncAnswer | null } | { error: string })

// The states as WASM objects, which can be freed and copied; its own are rebuilt at each call and left to the garbage
// collector.
Automerge.use(
  { importSyncState: (state: unknown) => state, exportSyncState: (state: unknown) => state } as unknown as Automerge.API
)

const port = parentPort!
const documents = new Map<number, SyncDocument>()
const probe = Automerge.getBackend(Automerge.init())

function run (job: SyncJob): SyncResult | null {
  if (job.name === 'open') {
    documents.set(job.session, new SyncDocument(job.chunks, job.maxHeld, job.again))
    return null
  }
  const document = documents.get(job.session)
  if (document === undefined) throw new Error('the document is not open')
  switch (job.name) {
    case 'receive': return document.receive(job.peer, job.message, job.mode)
    case 'generate': return document.generate(job.peer, job.mode)
    case 'update': document.update(job.chunks); return null
    case 'leave': document.leave(job.peer); return null
    case 'close':
      documents.delete(job.session)
      document.free()
      return null
  }
}

function answerOf ({ changes, ...result }: SyncResult): SyncAnswer {
  const joined = new Uint8Array(changes.reduce((sum, change) => sum + change.length, 0))
  const lengths: number[] = []
  let at = 0
  for (const change of changes) {
    joined.set(change, at)
    at += change.length
    lengths.push(change.length)
  }
  return { ...result, joined, lengths }
}

function send (report: SyncReport, transfer: TransferListItem[] = []): void {
  port.postMessage(report, transfer)
}

const memory = (): number => getHeapStatistics().external_memory

port.on('message', (job: SyncJob) => {
  try {
    const result = run(job)
    const answer = result === null ? null : answerOf(result)
    send({ answer, memory: memory() }, answer === null ? [] : [answer.joined.buffer])
  } catch (error) {
    probe.getHeads() // throws when the WASM is dead, and ends the thread
    send({ error: messageOf(error), memory: memory() })
  }
})
send('ready')
