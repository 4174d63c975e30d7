import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { deflateRawSync } from 'node:zlib'
import * as Automerge from '@automerge/automerge'
import { WebSocket } from 'ws'
import { newDocumentId } from '../../../lib/ids.ts'
import type { Cbor } from '../../../lib/wire/cbor-decode.ts'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { encodeSyncMessage } from '../../../lib/wire/sync-message.ts'

/** Whom to attack: a sync server, and a document on it that others use. */
export interface Target { url: string, documentId: string }

/** How much of it, and for how long at most (ms). */
export interface Force { count: number, ms: number }

/** What came of it, counted: answers by status, closes by code, and the like. */
export type Outcome = Record<string, number>

export type Attack = (target: Target, force: Force) => Promise<Outcome>

const MiB = 2 ** 20
const HELD = 1_000 // ms

class Tally {
  readonly outcome: Outcome = {}
  add (what: string, times = 1): void { this.outcome[what] = (this.outcome[what] ?? 0) + times }
}

const until = async (holds: () => boolean, end: number): Promise<void> => {
  while (!holds() && performance.now() < end) await sleep(10)
}

/** Opens a socket; undefined when it was refused, which is counted. */
async function open (url: string, tally: Tally): Promise<WebSocket | undefined> {
  const socket = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: 30_000 })
  return await new Promise(resolve => {
    socket.on('open', () => { resolve(socket) })
    socket.on('error', error => {
      tally.add((error as { code?: string }).code ?? error.message.replace('Unexpected server response: ', 'status '))
      resolve(undefined)
    })
    socket.on('close', (code, reason) => {
      if (code !== 1006) {
        tally.add(String(reason).split(':')[0] || `close ${code}`)
      }
    })
  })
}

/** A socket that has joined. */
async function join (
  url: string, tally: Tally
): Promise<{ socket: WebSocket, say: (frame: Record<string, unknown>) => void } | undefined> {
  const socket = await open(url, tally)
  const senderId = `attacker-${randomBytes(6).toString('hex')}`
  const say = (frame: Record<string, unknown>): void => {
    socket?.send(encodeCbor({ senderId, targetId: 'x', ...frame } as Cbor))
  }
  say({ type: 'join', supportedProtocolVersions: ['1'], peerMetadata: {} })
  return socket === undefined ? undefined : { socket, say }
}

/** Says something as fast as the other side takes it. */
async function pour (
  url: string, { count, ms }: Force, tally: Tally, frame: (n: number) => Record<string, unknown>
): Promise<void> {
  const peer = await join(url, tally)
  if (peer === undefined) return
  const end = performance.now() + ms
  for (let n = 0; n < count && performance.now() < end && peer.socket.readyState === WebSocket.OPEN; n++) {
    peer.say(frame(n))
    tally.add('sent')
    if (peer.socket.bufferedAmount > MiB) await until(() => peer.socket.bufferedAmount < MiB / 4, end)
    else if (n % 100 === 99) await sleep(0)
  }
  peer.socket.close() // answered when all before it has been read
  await until(() => peer.socket.readyState === WebSocket.CLOSED, end)
  peer.socket.terminate()
}

const sync = (documentId: string, changes: Uint8Array[], heads: string[] = []): Record<string, unknown> =>
  ({ type: 'sync', documentId, data: encodeSyncMessage({ version: 1, heads, need: [], have: [], changes }) })

/**
 * A change as a compressed chunk (Automerge's binary format, "Compressed change chunk"): type 2, and its contents
 * deflated.
 */
function compress (chunk: Uint8Array): Uint8Array {
  let start = 9 // after magic, checksum and type
  while (chunk[start++]! > 127);
  const contents = deflateRawSync(chunk.subarray(start))
  const length: number[] = []
  for (let left = contents.length; left > 0; left >>>= 7) length.push(left & 127 | (left > 127 ? 128 : 0))
  return Buffer.concat([chunk.subarray(0, 8), Buffer.of(2, ...length), contents])
}

/** A change of some kB that is 60 MiB when it is inflated. */
function bomb (): { change: Uint8Array, head: string } {
  const doc = Automerge.change(Automerge.init<Record<string, unknown>>(), d => {
    d['zeros'] = new Uint8Array(60 * MiB)
  })
  const change = compress(Automerge.getLastLocalChange(doc)!)
  const [head] = Automerge.getHeads(doc)
  Automerge.free(doc)
  return { change, head: head! }
}

export const attacks: Record<string, Attack> = {
  /** Opens sockets and keeps them for a while. */
  async connections ({ url }, { count, ms }) {
    const tally = new Tally()
    const end = performance.now() + ms
    const held: WebSocket[] = []
    for (let n = 0; n < count && performance.now() < end; n += 100) {
      const some = await Promise.all(Array.from({ length: Math.min(100, count - n) }, () => open(url, tally)))
      for (const socket of some) if (socket !== undefined) held.push(socket)
    }
    tally.add('opened', held.length)
    await sleep(HELD)
    for (const socket of held) socket.terminate()
    return tally.outcome
  },

  /** Asks for an upgrade, a byte at a time, and never ends. */
  async 'slow handshakes' ({ url }, { count, ms }) {
    const tally = new Tally()
    const { port, hostname } = new URL(url)
    const sockets = Array.from({ length: count }, () => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => {})
      socket.on('data', data => { tally.add(`status ${String(data).slice(9, 12)}`) })
      socket.on('close', () => { tally.add('closed') })
      socket.write('GET / HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nX-Slow: ')
      return socket
    })
    const end = performance.now() + ms
    while (performance.now() < end && (tally.outcome['closed'] ?? 0) < count) {
      for (const socket of sockets) if (socket.writable) socket.write('x')
      await sleep(500)
    }
    for (const socket of sockets) socket.destroy()
    return tally.outcome
  },

  /** Frames of 64 MiB. */
  async 'large frames' ({ url }, { count, ms }) {
    const tally = new Tally()
    const frame = randomBytes(64 * MiB)
    const end = performance.now() + ms
    for (let n = 0; n < count && performance.now() < end; n++) {
      const peer = await join(url, tally)
      peer?.socket.send(frame)
      await until(() => peer === undefined || peer.socket.readyState === WebSocket.CLOSED, end)
      peer?.socket.terminate()
      tally.add('sent')
    }
    return tally.outcome
  },

  /** Random bytes, to the port and in frames. */
  async 'random bytes' ({ url }, { count, ms }) {
    const tally = new Tally()
    const { port, hostname } = new URL(url)
    const end = performance.now() + ms
    for (let n = 0; n < count && performance.now() < end; n++) {
      const raw = connect(Number(port), hostname)
      raw.on('error', () => {})
      raw.end(randomBytes(2_000))
      const peer = await join(url, tally)
      peer?.socket.send(randomBytes(1 + n % 2_000))
      await until(() => peer === undefined || peer.socket.readyState === WebSocket.CLOSED, end)
      peer?.socket.terminate()
      raw.destroy()
    }
    return tally.outcome
  },

  /** Presence, as fast as it goes, about a document that others have. */
  async 'ephemeral messages' ({ url, documentId }, force) {
    const tally = new Tally()
    const data = encodeCbor({ cursor: 1 })
    await pour(url, force, tally, n => ({ type: 'ephemeral', documentId, sessionId: 's', count: n + 1, data }))
    return tally.outcome
  },

  /** Requests for documents that nobody has. */
  async 'document requests' ({ url }, force) {
    const tally = new Tally()
    const { data } = sync('', [])
    await pour(url, force, tally, () => ({ type: 'request', documentId: newDocumentId(), data }))
    return tally.outcome
  },

  /** Changes that inflate to a thousand times as much, many in each message. */
  async 'decompression bombs' ({ url }, force) {
    const tally = new Tally()
    const { change, head } = bomb()
    const many = Array.from({ length: 20 }, () => change)
    await Promise.all([1, 20].map(async size => {
      await pour(url, { ...force, count: Math.ceil(force.count / 2) }, tally, () => sync(
        newDocumentId(), many.slice(0, size), [head]
      ))
    }))
    return tally.outcome
  },

  /** Requests over HTTP, ids that are paths among them. */
  async 'HTTP requests' ({ url }, { count, ms }) {
    const tally = new Tally()
    const http = url.replace('ws', 'http').replace(/\/$/, '')
    const paths = ['/', '/api/bundles/..%2f..%2f..%2fetc%2fpasswd', '/api/bundles/%00', '/.manifest.tonk', '/nowhere']
    const end = performance.now() + ms
    for (let n = 0; n < count && performance.now() < end; n += 50) {
      await Promise.all(Array.from({ length: Math.min(50, count - n) }, async (_, k) => {
        const status = await fetch(http + paths[(n + k) % paths.length]!).then(async response => {
          await response.arrayBuffer()
          return response.status
        }, () => 'failed')
        tally.add(`status ${status}`)
      }))
    }
    return tally.outcome
  }
}
