import type { TObject } from 'typebox'
import type { Origins } from './http/origins.ts'

/**
 * A part of the relay that is off unless its options are given. Its folder says in `options.ts` what follows; the
 * relay's options, flags, variables, `--help` and the table in the README are made of that.
 */
export interface Concern<Given extends object = any, Settings = unknown> {
  /**
   * Its options that can be written down. A property may also say `secret: true` (given by a variable, never by a
   * flag), `variable: 'NAME'` (called otherwise than `RELAY_<CONCERN>_<NAME>`) or `hostOnly: true` (neither flag nor
   * variable); lists are for hosts and files only. One called `enabled` is the flag `--<concern>` itself.
   */
  readonly schema: TObject
  /** A flag or variable of these turns it on. A host turns it on by giving `<concern>: { … }`. */
  readonly turnedOnBy: readonly string[]
  /**
   * Checks what was given and fills it in.
   * @throws RelayError RELAY_BAD_OPTION naming the option, also one that is unknown
   */
  parse (given: Given, relay: RelaySettings): Settings
  /** What it adds to the command line, by the word that follows `tonk-relay`. */
  readonly verbs?: Readonly<Record<string, Verb>>
}

/** The storage folder unless another one is given. */
export const DEFAULT_STORAGE = 'automerge-repo-data'

/** What a concern may go by of the relay's own options. */
export interface RelaySettings {
  readonly storage: string
  readonly durability: string
  readonly origins: Origins
  readonly s3?: { readonly bucket: string } | undefined
}

type HelpLine = readonly [usage: string, does: string]

/** A word of the command line that starts no relay: `tonk-relay backup …`. */
export interface Verb {
  /** Its lines in `--help`: how it is written, and what it does. The first is shown to who writes it otherwise. */
  readonly help: readonly [HelpLine, ...HelpLine[]]
  /** Least and most words that follow it; none unless given */
  readonly words?: readonly [least: number, most: number]
  /** Flags of its own. Every setting is a flag of every verb. */
  readonly flags?: Readonly<Record<string, 'boolean' | 'string'>>
  /** Loads what does it. */
  load (): Promise<Perform>
}

/** What a command line asks of a verb. */
export interface Task {
  verb: string
  words: string[]
  /** By the verb's own flags */
  own: Record<string, string | boolean | undefined>
}

/**
 * Does it.
 * @param relay the relay's options as flags and environment have them, for `parseOptions`
 * @returns the exit code
 */
export type Perform = (task: Task, relay: object, print: (text: string) => void) => Promise<number>
