import { ACTIONS } from '../format/operations.ts'

/** The kinds of objects. */
export const KINDS = { map: 0, list: 1, text: 2 } as const
export type Kind = typeof KINDS[keyof typeof KINDS]

/** The root's index. */
export const ROOT = 0

/** What is kept of an object in one number: its kind, and how many objects it is in. */
export const objectFlags = (kind: Kind, depth: number): number => depth << 2 | kind
export const kindOf = (flags: number): number => flags & 3
export const depthOf = (flags: number): number => flags >> 2

const MADE: (Kind | undefined)[] = []
MADE[ACTIONS.makeMap] = MADE[ACTIONS.makeTable] = KINDS.map
MADE[ACTIONS.makeList] = KINDS.list
MADE[ACTIONS.makeText] = KINDS.text

/** The kind of object that an action makes. */
export const kindMade = (action: number): Kind | undefined => MADE[action]
