import { newDocumentId, type DocumentId } from '../../ids.ts'
import { OpenDocument, isDeleted } from './open-document.ts'
import type { Page } from './shelf-file.ts'
import type { Edit } from './worker.ts'

/** The document that names those of a feed: `{ feed, days: { <day>: { <part>: <URL> } } }`. */
export class FeedIndex {
  readonly #name: string
  readonly #make: (id: DocumentId) => OpenDocument
  #document: OpenDocument
  #isTold = false

  constructor (name: string, id: DocumentId, make: (id: DocumentId) => OpenDocument) {
    this.#name = name
    this.#make = make
    this.#document = make(id)
  }

  get id (): DocumentId { return this.#document.id }

  /** The documents are others now. */
  changed (): void { this.#isTold = false }

  /**
   * Names them, unless they are named already.
   * @returns whether it is another document now, because somebody has deleted it
   */
  async tell (pages: readonly Page[]): Promise<boolean> {
    if (this.#isTold) return false
    const days = pages.map(({ day, part, id }): Edit => ({
      type: 'set', path: ['days', day, String(part)], value: `automerge:${id}`
    }))
    const edits: Edit[] = [{ type: 'set', path: ['feed'], value: this.#name }, ...days]
    let isNew = false
    try {
      await this.#document.change(edits)
    } catch (error) {
      if (!isDeleted(error)) throw error
      isNew = true
      this.#document = this.#make(newDocumentId())
      await this.#document.change(edits)
    }
    this.#isTold = true
    return isNew
  }
}
