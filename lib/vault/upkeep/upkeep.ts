import { RelayError, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { BACKUP } from '../backup.ts'
import type { VaultService } from '../service.ts'
import { readState, writeState, type UpkeepState } from './state.ts'

const MINUTE = 60_000 // ms
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const LOOK = MINUTE // ms from one look at what is due to the next
const PARTS = 4 // of a scrub's round each day

export interface UpkeepOptions {
  vault: VaultService
  /** Where its state is kept */
  file: string
  log: Log
  /** Number of days over which every shard is read once */
  scrubDays: number
  /** Minutes after midnight, by the clock of the machine, when `backUp` is called */
  nightly?: number | undefined
  /** Backups that are kept */
  keepBackups: number
  backUp?: (() => Promise<unknown>) | undefined
}

type Work = keyof Omit<UpkeepState, 'position' | 'scrubbed'>

/** Reads, repairs, tries, collects and backs up, each when it is due. What fails is tried again at the next look. */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #abort = new AbortController()
  #state: UpkeepState | undefined
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  /** Shards found damaged or missing since the start */
  damaged = 0
  /** Objects that lack shards and could not be repaired the last time, by what became of them */
  found: Readonly<Record<string, number>> = {}
  /** What could not be done the last time it was tried, and why */
  readonly problems = new Map<string, string>()

  constructor (options: UpkeepOptions) {
    this.#options = options
  }

  get state (): UpkeepState | undefined {
    return this.#state
  }

  start (): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.run(new Date())
        .catch((error: unknown) => { this.#failed('upkeep', error) })
        .finally(() => { this.#running = undefined })
    }, LOOK)
    this.#timer.unref()
  }

  /** Does what is due. @param now by the clock on the wall */
  async run (now: Date): Promise<void> {
    const { vault, file, scrubDays, nightly, backUp } = this.#options
    const state = this.#state ??= await readState(file)
    const objects = await vault.list()
    this.problems.delete('upkeep')
    if (!vault.hasKey && objects.length === 0) return // nothing is there yet
    const due = (name: Work, every: number): boolean => {
      const passed = now.getTime() - state[name]
      return passed >= every || passed < 0 // a clock that was set back
    }
    const dayPart = DAY / PARTS
    if (due('scrubbedPart', dayPart)) {
      await this.#do('scrubbedPart', now, async signal => {
        const most = Math.ceil(vault.shards / (scrubDays * PARTS))
        const { damaged, missing, position } = await vault.scrub({ after: state.position, most, signal })
        this.damaged += damaged.length + missing.length
        state.position = position ?? ''
        if (position === undefined) state.scrubbed = now.getTime()
      })
    }
    if (due('repaired', dayPart)) {
      await this.#do('repaired', now, async signal => {
        const { found } = await vault.repair({ signal })
        this.found = Object.fromEntries(Object.entries(found).map(([name, ids]) => [name, ids.length]))
      })
    }
    if (due('drilled', DAY)) await this.#do('drilled', now, async () => { await vault.drill() })
    if (due('collected', DAY)) {
      await this.#do('collected', now, async () => {
        const { refused } = await vault.collect()
        if (refused !== undefined) throw new RelayError('RELAY_VAULT_UNREACHABLE', refused)
      })
    }
    if (backUp !== undefined && nightly !== undefined && this.#isNight(now, nightly, state.backedUp)) {
      await this.#do('backedUp', now, async () => {
        await backUp()
        await this.#forgetOld()
      })
    }
  }

  /** Ends what it is about; resolved when it has ended. The vault may be closed meanwhile. */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    this.#abort.abort()
    await this.#running
  }

  async #do (name: Work, now: Date, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#abort
    if (signal.aborted) return
    const state = this.#state!
    try {
      await work(signal)
      state[name] = now.getTime()
      this.problems.delete(name)
      await writeState(this.#options.file, state)
    } catch (error) {
      this.#failed(name, error)
    }
  }

  /** Tells of it, unless it was told of. */
  #failed (name: string, error: unknown): void {
    if (this.#abort.signal.aborted || this.problems.get(name) === messageOf(error)) return
    this.problems.set(name, messageOf(error))
    this.#options.log.error({ err: error }, `upkeep of the vault (${name}): ${messageOf(error)}`)
  }

  /** Whether the time of day has passed since the last one. */
  #isNight (now: Date, minutes: number, last: number): boolean {
    const at = new Date(now)
    at.setHours(0, minutes, 0, 0)
    if (at > now) at.setDate(at.getDate() - 1)
    return last < at.getTime() || last > now.getTime()
  }

  async #forgetOld (): Promise<void> {
    const { vault, keepBackups } = this.#options
    const backups = (await vault.list()).filter(({ description }) => description?.name === BACKUP)
    for (const { id } of backups.slice(keepBackups)) await vault.forget(id)
  }
}
