import * as Automerge from '@automerge/automerge'
import { decodeSyncMessage } from '../../wire/sync-message.ts'
import { readChange } from '../format/change.ts'
import { CHUNK_TYPES, splitChunks } from '../format/chunk.ts'
import { documentHeads } from '../format/document-heads.ts'
import type { Hash } from '../format/hash.ts'
import { loadable } from './loadable.ts'
import { soundChanges, type Handle } from '../checks/sound-changes.ts'

/** As the handle of a document, one of Automerge's WASM objects, whose memory is not the garbage collector's. */
type State = Parameters<Handle['receiveSyncMessage']>[0]

/** What a peer brings is not taken, or is taken again: it is to send what it was told it need not. */
export type SyncMode = 'readOnly' | 'again'

interface SyncPeer { state: State, heads: Hash[] | null, needs: boolean }

/** Changes that wait for what they depend on, and whose they are; nobody's when their sender has left. */
type Held = Map<Hash, { peer: string | null, bytes: Uint8Array }>

/** What is done with copies of the document and of a peer's state. */
type Run = (handle: Handle, state: State) => Outcome
interface Outcome { added: Uint8Array[], reply: Uint8Array | null, held: Held }

/** What came of a call about a peer; see `SessionAnswer` of sync-session.ts. */
export interface SyncResult {
  changes: Uint8Array[]
  heads: Hash[]
  theirHeads: Hash[] | null
  reply: Uint8Array | null
  inSync: boolean
  held: boolean
  /** Changes that were held for others were forgotten: the next message to them asks for them. */
  forgot: boolean
}

/**
 * One document and the state of sync with each of its peers, by Automerge. Runs only where Automerge's sync states are
 * plain WASM objects (see sync-worker.ts). What fails leaves everything as it was: it is tried on copies, which share
 * their memory with the original and cost next to nothing.
 */
export class SyncDocument {
  readonly #maxHeld: number
  readonly #peers = new Map<string, SyncPeer>()
  #handle: Handle
  #held: Held = new Map()
  /** Held changes that were applied when what they waited for came from elsewhere; told with the next answer. */
  #released: Uint8Array[] = []
  #forgot = false

  /**
   * @param chunks all of the document's, in any order
   * @param maxHeld bytes of changes of one peer that may wait for what they depend on
   * @param again peers who have sent what is not there any more: they are asked for it
   * @throws what Automerge throws
   */
  constructor (chunks: Uint8Array[], maxHeld: number, again: string[] = []) {
    this.#maxHeld = maxHeld
    this.#handle = Automerge.getBackend(Automerge.load(loadable(chunks)))
    this.#handle.resetDiffCursor() // else it would note what changes in the document's values, for ever
    for (const name of again) askAgain(this.#peer(name))
  }

  /** @throws what Automerge throws, a panic of its WASM included; Error for changes that must not be applied */
  receive (name: string, message: Uint8Array, mode?: SyncMode): SyncResult {
    const { heads, need, changes } = decodeSyncMessage(message)
    const peer = this.#peer(name, mode)
    const { added, reply } = this.#change(peer, (handle, state) => {
      const before = handle.getHeads()
      handle.receiveSyncMessage(state, message)
      return {
        added: soundChanges(handle, before),
        held: this.#heldAfter(handle, name, changes),
        reply: handle.generateSyncMessage(state)
      }
    })
    peer.heads = heads
    peer.needs = need.length > 0
    return this.#result(name, added, reply)
  }

  /** Applies changes from elsewhere. @throws what Automerge throws */
  update (chunks: Uint8Array[]): void {
    const { added } = this.#change(null, handle => {
      const before = handle.getHeads()
      handle.loadIncremental(Buffer.concat(chunks))
      const released = this.#held.size === 0
        ? []
        : soundChanges(handle, before).filter(change => this.#held.has(readChange(change).hash))
      return { added: released, held: this.#heldAfter(handle), reply: null }
    })
    this.#released.push(...added)
  }

  generate (name: string, mode?: SyncMode): SyncResult {
    const { reply } = this.#change(this.#peer(name, mode), (handle, state) => ({
      added: [], held: this.#held, reply: handle.generateSyncMessage(state)
    }))
    return this.#result(name, [], reply)
  }

  leave (name: string): void {
    this.#peers.get(name)?.state.free()
    this.#peers.delete(name)
    for (const change of this.#held.values()) if (change.peer === name) change.peer = null
    if (bytesOf(this.#held, null) > this.#maxHeld) this.#forget(change => change.peer === null)
  }

  free (): void {
    for (const { state } of this.#peers.values()) state.free()
    this.#handle.free()
  }

  #peer (name: string, mode?: SyncMode): SyncPeer {
    let peer = this.#peers.get(name)
    if (peer === undefined) {
      peer = { state: newState(), heads: null, needs: false }
      this.#peers.set(name, peer)
    }
    if (mode === 'again') askAgain(peer)
    else if (mode === 'readOnly' && !peer.state.readOnly) peer.state.readOnly = true
    return peer
  }

  /** If it fails, it is tried without the changes that are held: one of them may be what fails. */
  #change (peer: SyncPeer | null, run: Run): Outcome {
    try {
      return this.#attempt(peer, run)
    } catch (error) {
      if (this.#held.size === 0 || error instanceof HeldTooMuch) throw error
      const [handle, held] = [this.#handle.clone(), this.#held]
      this.#forget(() => true)
      try {
        const outcome = this.#attempt(peer, run)
        for (const change of held.values()) askAgain(this.#peers.get(change.peer ?? ''))
        this.#forgot = true
        handle.free()
        return outcome
      } catch {
        this.#replace(handle, held)
        throw error
      }
    }
  }

  #attempt (peer: SyncPeer | null, run: Run): Outcome {
    const handle = this.#handle.clone()
    const state = peer === null ? newState() : peer.state.clone()
    try {
      const outcome = run(handle, state)
      this.#replace(handle, outcome.held)
      const spent = peer === null ? state : peer.state
      if (peer !== null) peer.state = state
      spent.free()
      return outcome
    } catch (error) {
      handle.free()
      state.free()
      throw error
    }
  }

  #replace (handle: Handle, held: Held): void {
    this.#handle.free()
    this.#handle = handle
    this.#held = held
  }

  /** Automerge gives nothing back that it holds: the document is made anew from what is applied. */
  #forget (which: (change: { peer: string | null }) => boolean): void {
    const kept: Held = new Map([...this.#held].filter(([, change]) => !which(change)))
    const handle = this.#handle.fork(undefined, this.#handle.getHeads())
    handle.loadIncremental(Buffer.concat([...kept.values()].map(change => change.bytes)))
    this.#replace(handle, kept)
  }

  /**
   * What is held once Automerge has been given a peer's chunks. All of them must be applied or held: it leaves out what
   * it cannot read, and says nothing.
   */
  #heldAfter (handle: Handle, name: string | null = null, chunks: Uint8Array[] = []): Held {
    const isWaiting = handle.getMissingDeps([]).length > 0
    const lacks = (hash: Hash): boolean => handle.getChangeMetaByHash(hash) === null
    const held: Held = new Map(isWaiting ? [...this.#held].filter(([hash]) => lacks(hash)) : [])
    for (const { type, bytes } of chunks.flatMap(splitChunks)) {
      const hashes = type === CHUNK_TYPES.document ? documentHeads(bytes) : [readChange(bytes).hash]
      for (const hash of hashes.filter(lacks)) {
        if (!isWaiting || type === CHUNK_TYPES.document) throw new Error('it cannot be read')
        held.set(hash, { peer: name, bytes: bytes.slice() })
      }
    }
    if (name !== null && bytesOf(held, name) > this.#maxHeld) throw new HeldTooMuch('changes it depends on are missing')
    return held
  }

  #result (name: string, added: Uint8Array[], reply: Uint8Array | null): SyncResult {
    const { state, heads: theirHeads, needs } = this.#peer(name)
    const heads = this.#handle.getHeads()
    const isEqual = state.readOnly ? isAnswered(reply) : !state.peerReadOnly && String(theirHeads) === String(heads)
    const inSync = theirHeads !== null && !needs && isEqual
    const held = [...this.#held.values()].some(change => change.peer === name)
    const result = {
      changes: [...this.#released, ...added], heads, theirHeads, reply, inSync, held, forgot: this.#forgot
    }
    this.#released = []
    this.#forgot = false
    return result
  }
}

class HeldTooMuch extends Error {}

const newState = (): State => Automerge.initSyncState() as unknown as State

const bytesOf = (held: Held, peer: string | null): number => {
  let bytes = 0
  for (const change of held.values()) if (change.peer === peer) bytes += change.bytes.length
  return bytes
}

/**
 * Whether a peer that may keep changes of its own has been sent all it lacks: the message brings nothing and does not
 * start anew.
 */
function isAnswered (reply: Uint8Array | null): boolean {
  if (reply === null) return true
  const { changes, have } = decodeSyncMessage(reply)
  return changes.length === 0 && have.some(({ lastSync, bloom }) => lastSync.length + bloom.length > 0)
}

/**
 * Has the peer forget which changes it sent here: that is what follows when a side was read-only and is so no longer.
 */
function askAgain (peer: SyncPeer | undefined): void {
  if (peer === undefined) return
  peer.state.readOnly = true
  peer.state.readOnly = false
}
