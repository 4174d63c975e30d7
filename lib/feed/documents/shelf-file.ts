import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf } from '../../errors.ts'
import { isDocumentId, newDocumentId, type DocumentId } from '../../ids.ts'
import { writeAtomic } from '../../objects/atomic-file.ts'

/** One document of a feed: the items of a day, or of a part of a day that has many. */
export interface Page {
  id: DocumentId
  /** UTC, as `2026-11-28` */
  day: string
  part: number
  /** ms since 1970 from which on something blank is in its history */
  blankSince?: number | undefined
  /** The document that is going to take its place, being made */
  next?: DocumentId | undefined
  /** The document whose place it has taken, what was in that when it did, and ms since 1970 */
  old?: { id: DocumentId, heads: string[], at: number } | undefined
}

/** Why an account's items are blank: the account is not active, or its labels say so. */
export type Hidden = 'account' | 'label'

/** What is known of a feed's documents over a restart. */
export interface ShelfState { index: DocumentId, pages: Page[], hidden: Record<string, Hidden> }

/** The file that it is kept in. */
export class ShelfFile {
  readonly #file: string
  readonly #folder: string

  constructor (folder: string, name: string) {
    this.#folder = folder
    this.#file = path.join(folder, `${name}.json`)
  }

  /** That of a new feed where there is none. @throws RelayError RELAY_STORAGE_FAILED for one that cannot be read */
  async read (): Promise<ShelfState> {
    let text: string
    try {
      text = await readFile(this.#file, 'utf8')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      return { index: newDocumentId(), pages: [], hidden: {} }
    }
    try {
      const { index, pages, hidden } = JSON.parse(text) as ShelfState
      if (!isDocumentId(index) || !pages.every(({ id }) => isDocumentId(id))) {
        throw new Error('not the ids of documents')
      }
      return { index, pages, hidden }
    } catch (cause) {
      throw new RelayError(
        'RELAY_STORAGE_FAILED', `${this.#file} cannot be read; without it the feed's documents are not known`, { cause }
      )
    }
  }

  async write (state: ShelfState): Promise<void> {
    await writeAtomic(this.#file, Buffer.from(JSON.stringify(state)), this.#folder)
  }
}
