import type { Concern, Verb } from '../concern.ts'
import { concerns } from '../concerns.ts'
import { feedVerbs } from '../feed/verbs.ts'

/** Work on a storage folder, whether a relay uses it or not. */
const load = async () => (await import('./perform.ts')).perform

const maintenance: Record<string, Verb> = {
  backup: {
    help: [['backup <folder|file.tar|vault>', 'copy all that is stored; a relay may be running']], words: [1, 1], load
  },
  restore: {
    help: [['restore <folder|file.tar|vault[:id]>', 'put a backup into an empty folder']], words: [1, 1], load
  },
  check: {
    help: [['check [--repair] [--json]', 'verify everything stored; exits with 2 if something is wrong']],
    flags: { repair: 'boolean', json: 'boolean' },
    load
  },
  stat: { help: [['stat [--json]', 'show what is stored']], flags: { json: 'boolean' }, load }
}

/** Every word that may follow `tonk-relay` in the place of a port, which is a number. */
export const verbs: Readonly<Record<string, Verb>> =
  Object.assign({}, maintenance, feedVerbs, ...Object.values<Concern>(concerns).map(({ verbs }) => verbs))
