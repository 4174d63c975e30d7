import type { Concern } from '../concern.ts'
import { parseVaultOptions, vaultSchema, type VaultOptions, type VaultSettings } from './settings.ts'

const load = async () => (await import('./command/perform.ts')).perform

/** The vault as a part of the relay, and its words of the command line. */
export const vault: Concern<VaultOptions, VaultSettings> = {
  schema: vaultSchema,
  turnedOnBy: ['placesFile'],
  parse: (given, { storage }) => parseVaultOptions(given, storage),
  verbs: {
    vault: {
      help: [
        ['vault <init|put|get|list|…>', 'encrypted copies in several places, one of:'],
        ['vault init', 'make the key, and print what brings it back'],
        ['vault put <file> [name]', 'store a file; `-` for the standard input'],
        ['vault get <id|name> [file]', 'bring it back; to the standard output unless a file is named'],
        ['vault list [--json]', 'what is stored'],
        ['vault info <id|name> [--json]', 'where it lies'],
        ['vault forget <id>', 'give an object up'],
        ['vault scrub [--json]', 'have every shard read where it lies, and heal; 2 when something was wrong'],
        ['vault repair [id] [--now] [--json]', 'make anew what is missing; 2 when something is still missing'],
        ['vault drill [--json]', 'bring one object back as after a disaster'],
        ['vault peers [--json]', 'the places, and how they answer'],
        [
          'vault key [restore]',
          'print the recovery text; or read one from the standard input and make the key file of it'
        ]
      ],
      words: [1, 3],
      flags: { json: 'boolean', now: 'boolean' },
      load
    }
  }
}
