/** What is asked of a server. Empty lists ask for everything. */
export interface Filter {
  /** Full NSIDs, or prefixes that end in `.*`; they hold for commits only */
  readonly collections: readonly string[]
  /** Accounts; they hold for events of every kind */
  readonly dids: readonly string[]
}

export const EVERYTHING: Filter = { collections: [], dids: [] }

export const isEverything = ({ collections, dids }: Filter): boolean => collections.length === 0 && dids.length === 0
