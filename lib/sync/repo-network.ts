import { NetworkAdapter, type Message, type PeerId, type RepoMessage } from '@automerge/automerge-repo'
import type { DocumentId } from '../ids.ts'
import type { PeerConnection } from './connection.ts'
import type { SyncFrame, UnavailableFrame } from './frame.ts'

/**
 * The relay's connections as an automerge-repo network. Inside, a peer goes by its connection's key, never by the id it
 * chose: hostile ids stay outside and two sockets of one peer do not get in each other's way. The repo is not told a
 * peer's storage id either, which it would make part of a file's path.
 */
export class RepoNetwork extends NetworkAdapter {
  readonly #peers = new Map<string, PeerConnection>()
  readonly #sent: (peer: PeerConnection, id: DocumentId) => void

  constructor (sent: (peer: PeerConnection, id: DocumentId) => void) {
    super()
    this.#sent = sent
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

  /** A peer's frame, into the repo. */
  deliver (peer: PeerConnection, frame: SyncFrame | UnavailableFrame): void {
    this.emit('message', { ...frame, senderId: peer.key, targetId: this.peerId } as unknown as Message)
  }

  /** The repo's message, out to a peer. */
  override send (message: RepoMessage): void {
    const peer = this.#peers.get(message.targetId)
    if (peer === undefined) return
    const documentId = 'documentId' in message ? message.documentId as string as DocumentId : undefined
    if (documentId === undefined) return
    if (message.type === 'sync' || message.type === 'request') {
      peer.send({ type: message.type, documentId, data: message.data })
      this.#sent(peer, documentId)
    } else if (message.type === 'doc-unavailable') {
      peer.send({ type: message.type, documentId })
    }
  }

  peer (key: string): PeerConnection | undefined { return this.#peers.get(key) }
}
