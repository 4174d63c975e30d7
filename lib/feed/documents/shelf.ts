import { newDocumentId, type DocumentId } from '../../ids.ts'
import type { JobThread } from '../../threads/job-thread.ts'
import type { Log } from '../../log.ts'
import type { DocumentsHost } from './documents-host.ts'
import { FeedIndex } from './feed-index.ts'
import { HeldDocument } from './held-document.ts'
import { ItemFile, type ItemEntry } from './item-file.ts'
import { OpenDocument, isDeleted, unlessDeleted } from './open-document.ts'
import { Places } from './places.ts'
import { ShelfFile, type Hidden, type Page, type ShelfState } from './shelf-file.ts'
import type { Edit, Jobs } from './worker.ts'

export interface ShelfParts {
  /** What the feed is called */
  name: string
  /** Folder for what is known of the documents */
  folder: string
  host: DocumentsHost
  thread: JobThread<Jobs>
  log: Log
  /** Items of a document at most */
  maxItems: number
  /** ms since 1970 */
  now: () => number
}

/**
 * The documents of one feed: for each day one with its items, or more where there are many, and an index that names
 * them. Callers call one method at a time. What fails is to be called again, also after a crash.
 */
export class Shelf {
  readonly #parts: ShelfParts
  readonly #file: ShelfFile
  readonly #state: ShelfState
  readonly #held = new Map<Page, HeldDocument>()
  readonly #places = new Places<HeldDocument>()
  readonly #index: FeedIndex

  private constructor (parts: ShelfParts, file: ShelfFile, state: ShelfState) {
    this.#parts = parts
    this.#file = file
    this.#state = state
    this.#index = new FeedIndex(parts.name, state.index, id => this.#documentOf(id))
  }

  /** @throws RelayError RELAY_STORAGE_FAILED */
  static async open (parts: ShelfParts): Promise<Shelf> {
    const file = new ShelfFile(parts.folder, parts.name)
    const shelf = new Shelf(parts, file, await file.read())
    for (const page of shelf.#state.pages) {
      const held = shelf.#hold(page)
      for (const entry of await held.items()) shelf.#place(held, entry)
    }
    await shelf.#save()
    return shelf
  }

  get index (): DocumentId { return this.#state.index }
  get pages (): readonly Page[] { return this.#state.pages }
  get items (): number { return this.#places.size }

  /** Why an account's items are blank; undefined when they are not. */
  hidden (did: string): Hidden | undefined {
    return Object.hasOwn(this.#state.hidden, did) ? this.#state.hidden[did] : undefined
  }

  /** Whether a record has an item that is not gone. */
  has (uri: string): boolean { return this.#places.get(uri)?.entry.gone === false }

  /** Whether an account has such items. */
  hasAccount (did: string): boolean { return this.#places.has(did) }

  /** Puts items of a day: in its document, or where they are already. What is in it from before a crash is left. */
  async put (day: string, entries: readonly ItemEntry[]): Promise<void> {
    const byPage = new Map<HeldDocument, ItemEntry[]>()
    for (const entry of entries) {
      const home = this.#places.get(entry.uri)?.home
      if (home !== undefined) await this.#learn(home)
      const held = this.#places.get(entry.uri)?.home ?? await this.#room(day, byPage)
      byPage.set(held, [...byPage.get(held) ?? [], entry])
    }
    for (const [held, some] of byPage) {
      const fresh = some.filter(({ number }) => number > held.last)
      if (fresh.length === 0) continue
      const last = fresh.reduce((most, { number }) => Math.max(most, number), held.last)
      await held.file.append(fresh) // first: nothing may be in a document and not be known
      await this.#change(held, [...fresh.map(putOf), { type: 'set', path: ['last'], value: last }])
      for (const entry of fresh) this.#place(held, entry)
      held.last = last
    }
    await this.name()
  }

  /** Blanks the items of records that are deleted. Nothing of them is kept. */
  async erase (uris: readonly string[]): Promise<void> {
    for (const [held, entries] of this.#homes(uris)) {
      await this.#blank(held, entries)
      const gone = entries.map(({ uri, did, number }) => ({ uri, did, number, gone: true, item: undefined }))
      await held.file.append(gone)
      for (const entry of gone) this.#place(held, entry)
    }
  }

  /** Blanks what is an account's until it is shown again. */
  async hide (did: string, reason: Hidden): Promise<void> {
    if (this.hidden(did) === reason || (this.hidden(did) === undefined && !this.#places.has(did))) return
    for (const [held, entries] of this.#homes(this.#places.of(did))) await this.#blank(held, entries)
    this.#state.hidden[did] = reason
    await this.#save()
  }

  /** Shows what is an account's again. */
  async show (did: string): Promise<void> {
    if (this.hidden(did) === undefined) return
    for (const held of this.#homes(this.#places.of(did)).keys()) {
      const entries = (await held.items()).filter(entry => entry.did === did && !entry.gone && entry.item !== undefined)
      if (entries.length > 0) await this.#change(held, entries.map(putOf))
    }
    delete this.#state.hidden[did]
    await this.#save()
  }

  /** Erases what is an account's, which is no more. */
  async eraseAccount (did: string): Promise<void> {
    await this.erase(this.#places.of(did))
    if (this.hidden(did) === undefined) return
    delete this.#state.hidden[did]
    await this.#save()
  }

  /**
   * Makes documents anew that have had something blank in their history since before a time, and deletes those whose
   * place was taken before another.
   */
  async renew (blankBefore: number, takenBefore: number): Promise<void> {
    for (const held of [...this.#held.values()]) {
      const { old, next, blankSince = Infinity } = held.page
      if (next !== undefined) await this.#discard(held.page, next)
      if (old !== undefined && old.at <= takenBefore) await this.#retire(held, old)
      if (held.page.old === undefined && blankSince <= blankBefore) await this.#remake(held)
    }
    if (this.#state.pages.length > 0) await this.name()
  }

  /** The document with room for an item of a day; `byPage` are the items that are about to get there. */
  async #room (day: string, byPage: ReadonlyMap<HeldDocument, ItemEntry[]>): Promise<HeldDocument> {
    const last = this.#state.pages.findLast(page => page.day === day)
    const held = last === undefined ? undefined : this.#held.get(last)
    if (held !== undefined) await this.#learn(held)
    const isThere = held !== undefined && this.#held.has(held.page) // else somebody has deleted it
    if (isThere && held.count + (byPage.get(held)?.length ?? 0) < this.#parts.maxItems) return held
    const page: Page = { id: newDocumentId(), day, part: (last?.part ?? -1) + 1 }
    this.#state.pages.push(page)
    await this.#save()
    this.#index.changed()
    return this.#hold(page)
  }

  /** Takes in what a document says of itself. */
  async #learn (held: HeldDocument): Promise<void> {
    try {
      const facts = await held.document.open()
      if (facts === held.facts) return
      held.facts = facts
      // its readers may write too: it is believed to have come as far as the file has, and no further
      held.last = Math.max(held.last, Math.min(facts.last, held.file.last))
      const unknown = facts.items.filter(({ key }) => this.#places.get(key) === undefined)
      for (const { key, number } of unknown) {
        this.#place(held, { uri: key, did: key.split('/')[2] ?? '', number, gone: false, item: undefined })
      }
    } catch (error) {
      if (!isDeleted(error)) throw error
      await this.#drop(held)
    }
  }

  async #change (held: HeldDocument, edits: readonly Edit[]): Promise<void> {
    try {
      await held.change(this.#parts.name, edits)
    } catch (error) {
      if (isDeleted(error)) await this.#drop(held)
      throw error // it comes again, and goes elsewhere
    }
  }

  #homes (uris: readonly string[]): Map<HeldDocument, ItemEntry[]> {
    const homes = new Map<HeldDocument, ItemEntry[]>()
    for (const uri of uris) {
      const place = this.#places.get(uri)
      if (place === undefined || place.entry.gone) continue
      homes.set(place.home, [...homes.get(place.home) ?? [], place.entry])
    }
    return homes
  }

  async #blank (held: HeldDocument, entries: readonly ItemEntry[]): Promise<void> {
    const { host, now } = this.#parts
    const { old } = held.page
    held.page.blankSince ??= now()
    await this.#save()
    const edits = entries.map(({ uri }): Edit => ({ type: 'blank', key: uri }))
    // whoever still has the document that was there before is not to see it either
    const documents = old === undefined ? [held.document] : [held.document, this.#documentOf(old.id)]
    for (const document of documents) {
      if (await host.heads(document.id).then(heads => heads.length > 0, unlessDeleted)) await document.change(edits)
    }
  }

  async #remake (held: HeldDocument): Promise<void> {
    const { host, thread, now, log, name, folder } = this.#parts
    const { page } = held
    const snapshot = await host.snapshot(page.id).catch(error => { if (!isDeleted(error)) throw error })
    if (snapshot == null) return await this.#drop(held)
    const next = page.next = newDocumentId()
    await this.#save()
    const { saved, heads } = await thread.run('renew', snapshot)
    const entries = (await held.items()).filter(({ gone }) => !gone)
    await new ItemFile(folder, next).write(entries)
    await host.merge(next, [saved])
    const old = { id: page.id, heads, at: now() }
    Object.assign(page, { id: next, old, next: undefined, blankSince: undefined })
    this.#places.forget(held)
    const made = this.#hold(page)
    for (const entry of await made.items()) this.#place(made, entry)
    this.#index.changed()
    await this.#save()
    await this.name()
    await this.#documentOf(old.id).change([{ type: 'set', path: ['movedTo'], value: `automerge:${next}` }])
    const renewed = { feed: name, day: page.day, from: old.id, to: next }
    log.info(renewed, 'a feed document was made anew without what was blanked')
  }

  /** What was written into the old document meanwhile is taken over, and it is deleted. */
  async #retire (held: HeldDocument, old: NonNullable<Page['old']>): Promise<void> {
    const { host, folder, log, name } = this.#parts
    try {
      for (let since = old.heads, isSame = false; !isSame;) {
        const there = await host.heads(old.id)
        const snapshot = await host.snapshot(old.id)
        const failed = snapshot === null ? [] : await held.document.carry(snapshot, since)
        if (failed.length > 0) {
          const left = { feed: name, from: old.id, to: held.page.id, failed }
          log.error(left, 'what readers wrote into a feed document could not be carried into its successor')
        }
        isSame = String(await host.heads(old.id)) === String(there)
        since = there
      }
      await host.remove(old.id)
    } catch (error) {
      if (!isDeleted(error)) throw error
    }
    await new ItemFile(folder, old.id).remove()
    held.page.old = undefined
    await this.#save()
  }

  /** A document that was being made when the process ended. */
  async #discard (page: Page, next: DocumentId): Promise<void> {
    const { host, folder } = this.#parts
    await host.remove(next).catch(error => { if (!isDeleted(error)) throw error })
    await new ItemFile(folder, next).remove()
    page.next = undefined
    await this.#save()
  }

  /** Somebody has deleted a document: that is how it is. */
  async #drop (held: HeldDocument): Promise<void> {
    const { log, name } = this.#parts
    log.warn({ feed: name, document: held.page.id }, 'a feed document was deleted by somebody else')
    this.#held.delete(held.page)
    this.#places.forget(held)
    this.#state.pages = this.#state.pages.filter(page => page !== held.page)
    await held.file.remove()
    await this.#save()
  }

  /** The index names all documents; it is there before the first of them. */
  async name (): Promise<void> {
    if (!await this.#index.tell(this.#state.pages)) return
    this.#state.index = this.#index.id
    await this.#save()
  }

  #hold (page: Page): HeldDocument {
    const held = new HeldDocument(page, this.#parts)
    this.#held.set(page, held)
    return held
  }

  #place (held: HeldDocument, entry: ItemEntry): void { if (this.#places.set(held, entry)) held.count++ }

  #documentOf (id: DocumentId): OpenDocument { return new OpenDocument(id, this.#parts.host, this.#parts.thread) }

  async #save (): Promise<void> { await this.#file.write(this.#state) }
}

const putOf = ({ uri, item }: ItemEntry): Edit => ({ type: 'put', key: uri, item: { ...item } })
