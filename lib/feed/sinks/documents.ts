import path from 'node:path'
import { RelayError, messageOf } from '../../errors.ts'
import { JobThread } from '../../threads/job-thread.ts'
import type { Log } from '../../log.ts'
import { makeFolder } from '../../objects/atomic-file.ts'
import type { DocumentsHost } from '../documents/documents-host.ts'
import { itemOf } from '../documents/item.ts'
import type { ItemEntry } from '../documents/item-file.ts'
import { chooser, type Chosen, type Rule } from '../documents/rule.ts'
import { Shelf } from '../documents/shelf.ts'
import type { Jobs } from '../documents/worker.ts'
import type { Batch, FeedRecord, Refusal, Sink, SinkStats } from './sink.ts'

export interface DocumentsSinkOptions {
  /** Each makes documents of its own */
  rules: readonly Rule[]
  /** Folder for what is known of the documents, and for nothing else */
  folder: string
  host: DocumentsHost
  log: Log
  /** Whether the relay asks who its readers are: a rule may let in then whom only such readers may see */
  isControlled: boolean
  required?: boolean
  /** Items of a document at most */
  maxItems?: number
  /** ms until a document that has something blank in its history is made anew, and the old one is deleted after that */
  renewAfter?: number
  removeAfter?: number
  /** ms between looks whether one is due */
  tendEvery?: number
  now?: () => number
  /** Where documents are opened; a thread of its own unless given, which whoever gives it closes */
  thread?: JobThread<Jobs>
}

interface Feed { rule: Rule, chosen: Chosen, shelf: Shelf }

const HOUR = 3_600_000

/** A thread in which feed documents are opened. */
export const documentsThread = (): JobThread<Jobs> =>
  new JobThread<Jobs>(new URL('../documents/worker', import.meta.url))

/** Puts what rules choose into documents that the relay's peers sync, and takes out what may not be shown any more. */
export class DocumentsSink implements Sink {
  readonly name = 'documents'
  readonly required: boolean
  readonly #options: Required<DocumentsSinkOptions>
  readonly #thread: JobThread<Jobs>
  readonly #isOwnThread: boolean
  readonly #feeds: Feed[] = []
  #last: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #withheld = 0

  private constructor (options: DocumentsSinkOptions) {
    const thread = this.#thread = options.thread ?? documentsThread()
    this.#isOwnThread = options.thread === undefined
    const defaults = {
      required: false, maxItems: 5_000, renewAfter: 6 * HOUR, removeAfter: HOUR, tendEvery: 60_000, now: Date.now
    }
    this.#options = { ...defaults, ...options, thread }
    this.required = this.#options.required
  }

  /** @throws RelayError RELAY_BAD_OPTION, RELAY_STORAGE_FAILED */
  static async open (options: DocumentsSinkOptions): Promise<DocumentsSink> {
    const sink = new DocumentsSink(options)
    for (const rule of options.rules) await sink.#open(rule)
    sink.#inLine(async () => { for (const { shelf } of sink.#feeds) await shelf.name() })
      .catch((error: unknown) => {
        options.log.warn({ err: error }, `the index of a feed’s documents cannot be written yet: ${messageOf(error)}`)
      })
    sink.#timer = setInterval(() => { sink.tend().catch(() => {}) }, sink.#options.tendEvery) // it is logged
    sink.#timer.unref()
    return sink
  }

  async write (batch: Batch): Promise<readonly Refusal[]> {
    return await this.#inLine(async () => {
      const refusals: Refusal[] = []
      for (const feed of this.#feeds) refusals.push(...await this.#write(feed, batch))
      return refusals
    })
  }

  /** Makes anew and deletes what is due. */
  async tend (): Promise<void> {
    const { now, renewAfter, removeAfter, log } = this.#options
    await this.#inLine(async () => {
      for (const { shelf, rule } of this.#feeds) {
        try {
          await shelf.renew(now() - renewAfter, now() - removeAfter)
        } catch (error) {
          log.error({ err: error, feed: rule.name }, `the documents of a feed cannot be made anew: ${messageOf(error)}`)
          throw error
        }
      }
    })
  }

  stats (): SinkStats {
    const stats: Record<string, number | string> = { withheld: this.#withheld }
    for (const { rule: { name }, shelf } of this.#feeds) {
      stats[`${name}.index`] = `automerge:${shelf.index}`
      stats[`${name}.documents`] = shelf.pages.length
      stats[`${name}.items`] = shelf.items
      stats[`${name}.renewing`] = shelf.pages
        .filter(({ old, blankSince }) => old !== undefined || blankSince !== undefined).length
    }
    return stats
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
    await this.#last
    if (this.#isOwnThread) await this.#thread.close()
  }

  async #open (rule: Rule): Promise<void> {
    const { folder, host, log, maxItems, now, isControlled } = this.#options
    const chosen = chooser(rule)
    if (this.#feeds.some(({ rule: { name } }) => name === rule.name)) {
      throw bad(`two feed documents are called ${rule.name}`)
    }
    if (rule.authenticated === true && !isControlled) {
      throw bad(
      `feed document ${rule.name}: authors who want no readers without a login need a relay with access control`
      )
    }
    await makeFolder(path.resolve(folder))
    const shelf = await Shelf.open({ name: rule.name, folder, host, thread: this.#thread, log, maxItems, now })
    this.#feeds.push({ rule, chosen, shelf })
    log.info({ feed: rule.name, index: `automerge:${shelf.index}` }, `the documents of feed ${rule.name} are named ` +
      `in automerge:${shelf.index}`)
  }

  /** In the stream's order: what is put is written before anything is taken out. */
  async #write (feed: Feed, batch: Batch): Promise<Refusal[]> {
    const refusals: Refusal[] = []
    let day = ''
    let entries: ItemEntry[] = []
    const flush = async (): Promise<void> => {
      if (entries.length > 0) await feed.shelf.put(day, entries)
      entries = []
    }
    for (const record of batch) {
      try {
        const entry = this.#entryOf(feed, record)
        if (entry !== undefined) {
          const ofRecord = new Date(record.event.timeUs / 1_000).toISOString().slice(0, 10)
          if (ofRecord !== day) await flush()
          day = ofRecord
          if (feed.shelf.hidden(entry.did) !== undefined) await feed.shelf.show(entry.did)
          entries.push(entry)
          continue
        }
      } catch (error) {
        if (!(error instanceof Unfit)) throw error
        refusals.push({ record, reason: error.message })
      }
      const isPending = entries.some(({ uri, did }) => uri === record.event.uri || did === record.event.did)
      if (!isPending && !concerns(feed, record)) continue
      await flush()
      await this.#takeOut(feed, record)
    }
    await flush()
    return refusals
  }

  /** The item of a record, if it is chosen and may be shown. @throws Unfit */
  #entryOf ({ rule, chosen }: Feed, record: FeedRecord): ItemEntry | undefined {
    const { event: { commit, did, uri }, hydration: { visibility }, number } = record
    if (commit === undefined || commit.operation === 'delete') return undefined
    try {
      const choice = chosen(record)
      if (choice === false) return undefined
      if (visibility !== 'public' && !(visibility === 'authenticated' && rule.authenticated === true)) {
        this.#withheld++
        return undefined
      }
      return { uri, did, number, gone: false, item: itemOf(record, choice === true ? undefined : choice) }
    } catch (error) {
      throw new Unfit(`feed document ${rule.name}: ${messageOf(error)}`, { cause: error })
    }
  }

  async #takeOut ({ shelf, rule }: Feed, { event, hydration: { visibility } }: FeedRecord): Promise<void> {
    const { did, uri, commit, account } = event
    if (account !== undefined) {
      if (account.status === 'deleted') await shelf.eraseAccount(did)
      else if (!account.active) await shelf.hide(did, 'account')
      else if (shelf.hidden(did) === 'account') await shelf.show(did)
      return
    }
    if (shelf.has(uri)) await shelf.erase([uri]) // deleted, or changed to what is not chosen
    if (commit?.operation === 'delete') return
    if (visibility === 'hidden' || (visibility === 'authenticated' && rule.authenticated !== true)) {
      await shelf.hide(did, 'label')
    } else if (visibility !== 'unknown' && shelf.hidden(did) === 'label') await shelf.show(did)
  }

  async #inLine<T> (work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return await done
  }
}

/** Whether something that is there may have to go because of a record, or to come back. */
const concerns = ({ shelf }: Feed, { event: { did } }: FeedRecord): boolean =>
  shelf.hasAccount(did) || shelf.hidden(did) !== undefined

/** A record that no item can be made of. */
class Unfit extends Error {}

const bad = (problem: string): RelayError => new RelayError('RELAY_BAD_OPTION', problem)
