import type { Concern, Verb } from '../concern.ts'
import { concerns } from '../concerns.ts'
import { feedVerbs } from '../feed/verbs.ts'

/** Work on a storage folder, whether a relay uses it or not. */
const load = async () => (await import('./perform.ts')).perform

const maintenance: Record<string, Verb> = {
  backup: {
    help: [['backup <folder|file.tar|vault>', 'copy what is stored, while a relay runs or not']], words: [1, 1], load
  },
  restore: {
    help: [['restore <folder|file.tar|vault[:id]>', 'put a backup into an empty folder']], words: [1, 1], load
  },
  check: {
    help: [['check [--repair] [--json]', 'verify what is stored; 2 when something is wrong']],
    flags: { repair: 'boolean', json: 'boolean' },
    load
  },
  stat: { help: [['stat [--json]', 'what is stored']], flags: { json: 'boolean' }, load }
}

/** Every word that may follow `tonk-relay` in the place of a port, which is a number. */
export const verbs: Readonly<Record<string, Verb>> =
  Object.assign({}, maintenance, feedVerbs, ...Object.values<Concern>(concerns).map(({ verbs }) => verbs))
