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
        ['vault init', 'make the key, and print its recovery text'],
        ['vault put <file> [name]', 'store a file; `-` for standard input'],
        ['vault get <id|name> [file]', 'restore it, to the file or to standard output'],
        ['vault list [--json]', 'list what is stored'],
        ['vault info <id|name> [--json]', 'show where its shards are'],
        ['vault forget <id>', 'remove an object'],
        ['vault scrub [--json]', 'have every place check its shards, and repair; exits with 2 if something was wrong'],
        ['vault repair [id] [--now] [--json]', 'rebuild what is missing; exits with 2 if something is still missing'],
        ['vault drill [--json]', 'restore one object as after a disaster'],
        ['vault peers [--json]', 'show the places, and how well they answer'],
        [
          'vault key [restore]',
          'print the recovery text; or read one from standard input and make the key file from it'
        ]
      ],
      words: [1, 3],
      flags: { json: 'boolean', now: 'boolean' },
      load
    }
  }
}
