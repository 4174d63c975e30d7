import { NetworkAdapter, type Message, type PeerId, type RepoMessage } from '@automerge/automerge-repo'
import type { DocumentId } from '../ids.ts'
import type { PeerConnection } from './connection.ts'
import type { SyncFrame, UnavailableFrame } from './frame.ts'

/** What the repo sends: a frame of a document, without sender and target. */
export type RepoFrame =
  | { type: 'sync' | 'request', documentId: DocumentId, data: Uint8Array }
  | { type: 'doc-unavailable', documentId: DocumentId }

/**
 * The relay's connections as an automerge-repo network. Inside, a peer goes by its connection's key, never by the id it
 * chose: hostile ids stay outside and two sockets of one peer do not get in each other's way. The repo is not told a
 * peer's storage id either, which it would make part of a file's path.
 */
export class RepoNetwork extends NetworkAdapter {
  readonly #peers = new Map<string, PeerConnection>()
  readonly #send: (peer: PeerConnection, frame: RepoFrame) => void

  /** @param send takes the repo's messages to peers */
  constructor (send: (peer: PeerConnection, frame: RepoFrame) => void) {
    super()
    this.#send = send
  }

  override isReady (): boolean { return true }
  override async whenReady (): Promise<void> {}
  override connect (peerId: PeerId): void { this.peerId = peerId }
  override disconnect (): void {}

  add (peer: PeerConnection): void {
    this.#peers.set(peer.key, peer)
    this.emit('peer-candidate', { peerId: peer.key as PeerId, peerMetadata: { isEphemeral: true } })
  }

  remove (peer: PeerConnection): void {
    if (this.#peers.delete(peer.key)) this.emit('peer-disconnected', { peerId: peer.key as PeerId })
  }

  peer (key: string): PeerConnection | undefined { return this.#peers.get(key) }

  /** A peer's frame, into the repo. */
  deliver (peer: PeerConnection, frame: SyncFrame | UnavailableFrame): void {
    this.emit('message', { ...frame, senderId: peer.key, targetId: this.peerId } as unknown as Message)
  }

  override send (message: RepoMessage): void {
    const peer = this.#peers.get(message.targetId)
    if (peer === undefined || !('documentId' in message)) return
    const documentId = message.documentId as string as DocumentId
    if (message.type === 'sync' || message.type === 'request') this.#send(peer, { type: message.type, documentId, data: message.data })
    else if (message.type === 'doc-unavailable') this.#send(peer, { type: message.type, documentId })
  }
}
