import * as Automerge from '@automerge/automerge'
import { random } from '../../fuzz.ts'

type Sample = Record<string, unknown>

/** The flags that end a message of today's Automerge; one before version 2 sends none. */
const FLAGS_LENGTH = 3

/**
 * What peers say to each other while they edit and sync, each time the same: first meetings of empty, equal and
 * diverged documents, live edits, and the same with a peer that knows version 1 only.
 */
export function sampleMessages (): Uint8Array[] {
  return [...conversation(1, false), ...conversation(2, true)]
}

function conversation (seed: number, old: boolean): Uint8Array[] {
  const below = random(seed)
  const messages: Uint8Array[] = []
  const peers = [0x10, 0x20, 0x30].map(byte => ({
    doc: Automerge.init<Sample>({ actor: (byte + seed).toString(16).repeat(16) }),
    states: new Map<number, Automerge.SyncState>()
  }))
  const edit = (n: number) => {
    peers[n]!.doc = Automerge.change(peers[n]!.doc, { time: seed }, doc => {
      doc[`key ${below(5)}`] = 'x'.repeat(below(200))
    })
  }

  function say (from: number, to: number): boolean {
    const [sender, receiver] = [peers[from]!, peers[to]!]
    const [state, message] = Automerge.generateSyncMessage(
      sender.doc, sender.states.get(to) ?? Automerge.initSyncState()
    )
    sender.states.set(to, state)
    if (message === null) return false
    const sent = old ? message.subarray(0, message.length - FLAGS_LENGTH) : message
    messages.push(sent)
    const [doc, next] = Automerge.receiveSyncMessage(
      receiver.doc, receiver.states.get(from) ?? Automerge.initSyncState(), sent
    )
    receiver.doc = doc
    receiver.states.set(from, next)
    return true
  }

  for (let n = 0; n < 30; n++) edit(0)
  for (let round = 0; round < 8; round++) {
    for (const [from, to] of [[0, 1], [1, 2], [0, 2]] as const) {
      for (let talking = true; talking;) talking = [say(from, to), say(to, from)].includes(true)
    }
    for (let n = below(4); n >= 0; n--) edit(below(3))
    if (below(4) === 0) peers[below(3)]!.states.clear() // it connects anew
  }
  return messages
}
