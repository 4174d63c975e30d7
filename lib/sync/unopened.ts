import type { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'

interface Failure { error: RelayError, since: number, tries: number }

const FIRST_WAIT = 2_000 // ms until it is tried again, twice as long each time
const LONGEST_WAIT = 5 * 60_000 // ms

/**
 * Documents that could not be opened: the fault is theirs alone, so their peers stay, and are told when it is over.
 * Times are ms.
 */
export class UnopenedDocuments {
  readonly #failures = new Map<DocumentId, Failure>()

  get size (): number { return this.#failures.size }

  /** It could not be opened. Returns whether that is news. */
  add (id: DocumentId, error: RelayError, now: number): boolean {
    const known = this.#failures.get(id)
    this.#failures.set(id, { error, since: now, tries: known?.tries ?? 1 })
    return known === undefined
  }

  /** It could be opened, or nobody wants it any more. Returns whether it was among these. */
  delete (id: DocumentId): boolean { return this.#failures.delete(id) }

  /** Why it was not opened, as long as it is too early to try again. */
  resting (id: DocumentId, now: number): RelayError | undefined {
    const failure = this.#failures.get(id)
    return failure !== undefined && now - failure.since < waitOf(failure) ? failure.error : undefined
  }

  /** Those to be tried again; they are taken as tried. */
  due (now: number): DocumentId[] {
    const ids = [...this.#failures.keys()].filter(id => this.resting(id, now) === undefined)
    for (const id of ids) {
      const failure = this.#failures.get(id)!
      failure.since = now
      failure.tries++
    }
    return ids
  }
}

const waitOf = ({ tries }: Failure): number => Math.min(FIRST_WAIT * 2 ** (tries - 1), LONGEST_WAIT)
