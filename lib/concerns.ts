import type { Concern } from './concern.ts'
import { feed } from './feed/options.ts'
import { tunnel } from './tunnel/options.ts'
import { vault } from './vault/options.ts'

/**
 * Everything that is off unless its options are given, in the order of the documentation. Its plugins are in
 * optional.ts.
 */
export const concerns = { tunnel, feed, vault } satisfies Record<string, Concern>

export type ConcernName = keyof typeof concerns

/** What a host may give, by concern. */
export type ConcernOptions = { [Name in ConcernName]?: Parameters<typeof concerns[Name]['parse']>[0] | undefined }

/** Filled in; what is off is not there. */
export type ConcernSettings = { [Name in ConcernName]?: ReturnType<typeof concerns[Name]['parse']> }
