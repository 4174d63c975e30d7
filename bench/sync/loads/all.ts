import { documents } from './documents.ts'
import { heavyOpen } from './heavy-open.ts'
import { idle } from './idle.ts'
import { join } from './join.ts'
import { large } from './large.ts'
import type { Load } from './load.ts'
import { presence } from './presence.ts'
import { slow } from './slow.ts'
import { start } from './start.ts'
import { fanout, mesh, receivers, window1, window64 } from './typing.ts'

/** In the order of the tables. */
export const loads: Load[] = [
  fanout, window1, window64, mesh, receivers, presence, documents, join, large, heavyOpen, idle, slow, start
]
