import type { Client, HistoryOptions, Protocol } from '../client.ts'
import { Wire } from '../wire.ts'

/** As large as the frame that brings one typed character to a peer of automerge-repo, and as its answer. */
export const EDIT_BYTES = 330
export const ANSWER_BYTES = 230

interface History { writers: number, messages: Uint8Array[] }

const ANSWER = Buffer.alloc(ANSWER_BYTES, 0xff) // the first byte tells the server that it is one
const SIGNAL = Buffer.alloc(200, 0x7f)

/**
 * A client of the servers without documents: an edit is a message with its number in front, and comes back to its
 * sender.
 */
class NumberedClient implements Client {
  readonly wire: Wire
  readonly faults = 0
  onEdit: (edit: number) => void = () => {}
  onAcknowledged: (edit: number) => void = () => {}
  readonly #history: History
  readonly #seen: Uint8Array
  readonly #own = new Set<number>()

  constructor (url: string, history: History, answers: boolean) {
    this.#history = history
    this.#seen = new Uint8Array(history.messages.length)
    this.wire = new Wire(url, message => {
      const edit = message.readUInt32BE(0)
      if (this.#own.delete(edit)) this.onAcknowledged(edit)
      else if (this.#seen[edit] === 0) {
        this.#seen[edit] = 1
        this.onEdit(edit)
        if (answers) this.wire.send(ANSWER)
      }
    })
  }

  async open (): Promise<void> { await this.wire.open() }
  async create (): Promise<void> {} // there is nothing to put anywhere
  async join (): Promise<void> {}
  async push (): Promise<void> {}

  edit (edit: number): void {
    this.#own.add(edit)
    this.wire.send(this.#history.messages[edit]!)
  }

  signal (): void { this.wire.send(SIGNAL) }
}

function history ({ edits, writers, blob }: HistoryOptions): History {
  const messages = Array.from({ length: edits }, (_, n) => {
    const message = Buffer.alloc(Math.max(EDIT_BYTES, blob), 0x20)
    message.writeUInt32BE(n)
    return message
  })
  return { writers, messages }
}

/** @param answers whether receivers acknowledge each message, as they do in Automerge's sync */
export const numbered = (answers: boolean): Protocol<History> => ({
  history,
  client: (url, edits) => new NumberedClient(url, edits, answers),
  smallDocuments: () => []
})
