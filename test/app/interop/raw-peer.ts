import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { cbor } from '@automerge/automerge-repo'
import { WebSocket } from 'ws'

export interface RawFrame { type: string, documentId?: string, data?: Uint8Array, [key: string]: unknown }

let count = 0

/** A peer that says what it is told to, frame by frame, and keeps what it hears. */
export class RawPeer {
  readonly id: string
  readonly heard: RawFrame[] = []
  /** The code its connection was closed with. */
  readonly closed: Promise<number>
  readonly #socket: WebSocket
  #read = 0
  #wake = (): void => {}

  private constructor (socket: WebSocket, id: string) {
    this.#socket = socket
    this.id = id
    this.closed = once(socket, 'close').then(([code]) => code)
    socket.on('message', (bytes: Buffer) => {
      this.heard.push(cbor.decode(new Uint8Array(bytes)) as RawFrame)
      this.#wake()
    })
  }

  /** @param join of the `join` frame, in place of what stands there in automerge-repo 2.5 */
  static async join (
    t: Test, url: string, join: Record<string, unknown> = { peerMetadata: {}, supportedProtocolVersions: ['1'] }
  ): Promise<RawPeer> {
    const socket = new WebSocket(url)
    t.teardown(() => { socket.terminate() })
    const peer = new RawPeer(socket, `raw-${++count}`)
    await once(socket, 'open')
    peer.send({ type: 'join', ...join })
    await peer.next('peer')
    return peer
  }

  send (frame: RawFrame): void {
    this.#socket.send(cbor.encode({ senderId: this.id, targetId: 'relay', ...frame }))
  }

  /** Says that it has these heads and sends some changes. */
  sync (
    documentId: string, { heads = [] as string[], need = [] as string[], changes = [] as Uint8Array[] }, type = 'sync'
  ): void {
    this.send({
      type,
      documentId,
      data: Automerge.encodeSyncMessage(
        { heads, need, have: [{ lastSync: [], bloom: new Uint8Array(0) }], changes } as never
      )
    })
  }

  /** The next frame of these types that has not been read, and passes those before it. */
  async next (...types: string[]): Promise<RawFrame> {
    for (;;) {
      for (; this.#read < this.heard.length; this.#read++) {
        if (types.includes(this.heard[this.#read]!.type)) return this.heard[this.#read++]!
      }
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }

  /** The next sync message that is as it should be. */
  async nextSync (holds: (message: Automerge.DecodedSyncMessage) => boolean): Promise<Automerge.DecodedSyncMessage> {
    for (;;) {
      const message = Automerge.decodeSyncMessage((await this.next('sync')).data!)
      if (holds(message)) return message
    }
  }

  /** Asks for a document. @returns what the relay says it has of it, empty when it has nothing */
  async heads (documentId: string): Promise<string[]> {
    this.sync(documentId, {}, 'request')
    for (;;) {
      const frame = await this.next('sync', 'doc-unavailable')
      if (frame.documentId === documentId) {
        return frame.type === 'sync' ? Automerge.decodeSyncMessage(frame.data!).heads : []
      }
    }
  }

  close (): void { this.#socket.close() }
  cut (): void { this.#socket.terminate() }
}

/** Waits until the relay has something of a document; each time it is asked by somebody new. */
export async function atRelay (t: Test, url: string, documentId: string): Promise<void> {
  for (;;) {
    const peer = await RawPeer.join(t, url)
    const heads = await peer.heads(documentId)
    peer.close()
    if (heads.length > 0) return
    await sleep(20)
  }
}
