import {
  Automerge, Repo, initializeWasm, type AutomergeUrl, type DocHandle, type PeerId
} from '@automerge/automerge-repo/slim'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import wasm from '@automerge/automerge/automerge.wasm'

// A chunk of its own: it and the WASM are loaded when a document is looked at.

/** `time` in s since 1970, 0 when its author has not said it. */
export interface Change {
  hash: string
  actor: string
  seq: number
  operations: number
  time: number
  message: string | null
}

/** A document at one time (ms since 1970). */
export interface View {
  time: number
  text: string
  heads: string[]
  /** How many changes it is made of */
  count: number
  /** Some of them, the last first */
  changes (offset: number, limit: number): Change[]
}

export interface LiveDocument {
  /** Rejects when there is no such document for us. */
  found: Promise<void>
  /** What it held at one of its changes. */
  textAt (hash: string): string
  close (): void
}

const MAX_TEXT = 200_000 // characters
const PAUSE = 250 // ms between two views of a document that changes all the time

/** Opens a document of the relay's as a peer of it; what is shown follows it until it is closed. */
export function openDocument (address: string, id: string, show: (view: View) => void): LiveDocument {
  const adapter = new WebSocketClientAdapter(address)
  let handle: DocHandle<unknown> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isClosed = false

  const update = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined
      if (!isClosed) show(viewOf(handle!.doc()))
    }, PAUSE)
  }
  const open = async (): Promise<void> => {
    await initializeWasm(new URL(wasm, import.meta.url).href)
    if (isClosed) return
    const repo = new Repo({ peerId: `dashboard-${crypto.randomUUID()}` as PeerId, network: [adapter] })
    const found = await repo.find(`automerge:${id}` as AutomergeUrl)
    if (isClosed) return
    handle = found
    show(viewOf(found.doc()))
    found.on('heads-changed', update)
  }
  return {
    found: open(),
    textAt: hash => textOf(Automerge.view(handle!.doc() as Automerge.Doc<unknown>, [hash])),
    close () {
      isClosed = true
      clearTimeout(timer)
      handle?.off('heads-changed', update)
      if (adapter.socket !== undefined) adapter.disconnect()
    }
  }
}

function viewOf (document: Automerge.Doc<unknown>): View {
  const all = Automerge.getChangesMetaSince(document, [])
  const { length: count } = all
  const changes = (offset: number, limit: number): Change[] =>
    all.slice(Math.max(0, count - offset - limit), count - offset).reverse().map(changeOf)
  return { time: Date.now(), text: textOf(document), heads: Automerge.getHeads(document), count, changes }
}

const changeOf = ({ hash, actor, seq, startOp, maxOp, time, message }: Automerge.ChangeMetadata): Change =>
  ({ hash, actor, seq, operations: maxOp - startOp + 1, time, message })

/** As JSON, with a word for what JSON has no words for. */
function textOf (document: unknown): string {
  const text = JSON.stringify(document, (_key, value: unknown) => {
    if (value instanceof Uint8Array) return `<${value.length} bytes>`
    if (typeof value === 'bigint') return String(value)
    return value
  }, 2)
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}\n… and ${text.length - MAX_TEXT} characters more`
}
