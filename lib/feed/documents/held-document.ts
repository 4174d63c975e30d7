import type { JobThread } from '../../threads/job-thread.ts'
import type { DocumentsHost } from './documents-host.ts'
import { ItemFile, type ItemEntry } from './item-file.ts'
import { OpenDocument } from './open-document.ts'
import type { Page } from './shelf-file.ts'
import type { Edit, Jobs, Opened } from './worker.ts'

export interface HeldParts {
  /** Folder of the file beside it */
  folder: string
  host: DocumentsHost
  thread: JobThread<Jobs>
}

/** A document on a shelf, and what is known of it. */
export class HeldDocument {
  readonly page: Page
  readonly file: ItemFile
  readonly document: OpenDocument
  /** What it says of itself, once it has been looked at */
  facts: Opened | undefined
  /** The number of the last record that is in it */
  last = 0
  /** Its items */
  count = 0

  constructor (page: Page, { folder, host, thread }: HeldParts) {
    this.page = page
    this.file = new ItemFile(folder, page.id)
    this.document = new OpenDocument(page.id, host, thread)
  }

  /** What its file has, which may be more than it has itself. */
  async items (): Promise<ItemEntry[]> { return [...(await this.file.read()).values()] }

  /** @param feed what the feed is called, which it says, as it says its day */
  async change (feed: string, edits: readonly Edit[]): Promise<void> {
    await this.document.change([
      { type: 'set', path: ['feed'], value: feed }, { type: 'set', path: ['day'], value: this.page.day }, ...edits
    ])
  }
}
