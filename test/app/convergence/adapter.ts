import type { EventEmitter } from 'node:events'
import * as Automerge from '@automerge/automerge'
import { cbor } from '@automerge/automerge-repo'
import { WebSocketClientAdapter, type FromClientMessage } from '@automerge/automerge-repo-network-websocket'

const KEPT = 12 // frames of a document

interface Frame { type: string, documentId?: string, data?: Uint8Array }

/**
 * automerge-repo's own adapter without its two ways to break the process or the client: it throws what a socket reports
 * (a reset is one), and it throws when it sends on a socket that is about to close, which leaves a document unusable.
 * It remembers what was said last.
 */
export class Adapter extends WebSocketClientAdapter {
  readonly #said = new Map<string, string[]>()
  #begun = 0

  override onError = (): void => {}

  override connect (...args: Parameters<WebSocketClientAdapter['connect']>): void {
    this.#begun++
    super.connect(...args)
    const socket = this.socket as unknown as EventEmitter
    socket.on('error', () => {}) // of a socket that it has let go of
  }

  override send (message: FromClientMessage): void {
    const open = this.socket?.readyState === this.socket?.OPEN
    this.#note(open ? '->' : '-x', message)
    if (open) super.send(message)
  }

  override receiveMessage (bytes: Uint8Array): void {
    this.#note('<-', cbor.decode(new Uint8Array(bytes)) as Frame)
    super.receiveMessage(bytes)
  }

  /**
   * The last frames of a document, with the number of the connection they went over; `-x` was not sent for want of one.
   */
  said (documentId: string): string[] { return this.#said.get(documentId) ?? [] }

  /** Lets go of the connection for good. */
  retire (): void {
    this.connect = () => {} // a reconnect that is already due would go on for ever
    if (this.socket !== undefined) this.disconnect()
  }

  #note (way: string, { type, documentId, data }: Frame): void {
    if (documentId === undefined) return
    const said = this.said(documentId)
    said.push(`${this.#begun} ${way} ${type}${data === undefined ? '' : contents(type, data)}`)
    this.#said.set(documentId, said.slice(-KEPT))
  }
}

function contents (type: string, data: Uint8Array): string {
  if (type !== 'sync' && type !== 'request') return ''
  const { heads, need, have, changes } = Automerge.decodeSyncMessage(data)
  const short = (hashes: string[]): string => `[${hashes.map(hash => hash.slice(0, 8)).join(' ')}]`
  return ` heads ${short(heads)} need ${short(need)} have ` +
    `${have.map(({ lastSync, bloom }) => `since ${short(lastSync)} + ${bloom.length} bytes`).join()}, ` +
    `${changes.reduce((sum, { length }) => sum + length, 0)} bytes of changes`
}
