import type { Verb } from '../concern.ts'

/** What the feed adds to the command line. Apart from its options: what does it parses those of the whole relay. */
export const feedVerbs: Readonly<Record<string, Verb>> = {
  feed: {
    help: [
      ['feed status|seal|dead [--url <relay>] [--token-file ' +
        '<file>]', 'show the feed of a running relay; seal its file; list dead letters'],
      ['feed dead retry|drop <id>', 'retry a dead letter, or drop it'],
      ['feed replay <sink> <after>', 'send a sink all records after a number again'],
      ['feed verify [--json]', 'verify that no stored or archived record is missing; exits with 2 if one is']
    ],
    words: [1, 3],
    flags: { url: 'string', 'token-file': 'string', json: 'boolean' },
    load: async () => (await import('./command.ts')).perform
  }
}
