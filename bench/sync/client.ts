import type { Wire } from './wire.ts'

/** What is edited: one document with a past, and the edits to come. */
export interface HistoryOptions {
  /** Changes that are in the document before the clock starts. */
  seed: number
  /**
   * Edits, made beforehand. Edit `n` is by writer `n % writers`; each writer's edits follow one another from the seed.
   */
  edits: number
  writers: number
  /** Random bytes that an edit sets; 0: one character is typed. */
  blob: number
  /** An Automerge document to be the seed in place of a made one. */
  document?: Uint8Array
}

/** `changes` and `head`, which the server confirms, are Automerge’s. */
export interface SmallDocument { id: string, content: Uint8Array, changes?: Uint8Array[], head?: string }

/**
 * A light client of a server's protocol: it reads what it gets without applying it and answers what a real client
 * answers, so that it costs less than the server it is there to load.
 */
export interface Client {
  readonly wire: Wire
  /** Messages that say that something went wrong. */
  readonly faults: number
  /** Told of each edit of the others, once. */
  onEdit: (edit: number) => void
  /** Told of each own edit that the server confirms. */
  onAcknowledged: (edit: number) => void
  /** Connects and shakes hands. */
  open: () => Promise<void>
  /** Puts the history's document with its seed on the server. */
  create: () => Promise<void>
  /** Asks for the document as one who has nothing; resolved when the seed is here. */
  join: (ms?: number) => Promise<void>
  edit: (edit: number) => void
  /** Sends word of where its cursor is, which is not stored. */
  signal: () => void
  /** Puts another, small document on the server; resolved when the server confirms it. */
  push: (document: SmallDocument) => Promise<void>
}

export interface Protocol<History = any> {
  /** The same edits for each client of a run. */
  history: (options: HistoryOptions) => History
  client: (url: string, history: History) => Client
  smallDocuments: (count: number) => SmallDocument[]
}
