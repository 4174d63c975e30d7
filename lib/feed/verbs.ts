import type { Verb } from '../concern.ts'

/** What the feed adds to the command line. Apart from its options: what does it parses those of the whole relay. */
export const feedVerbs: Readonly<Record<string, Verb>> = {
  feed: {
    help: [
      ['feed status|seal|dead [--url <relay>] [--token-file ' +
        '<file>]', 'how the feed of a running relay is; seal its file; what it could not take'],
      ['feed dead retry|drop <id>', 'try what it could not take again, or drop it'],
      ['feed replay <sink> <after>', 'have a sink get the records after a number again'],
      ['feed verify [--json]', 'prove that nothing is missing in what is stored and archived; 2 when something is']
    ],
    words: [1, 3],
    flags: { url: 'string', 'token-file': 'string', json: 'boolean' },
    load: async () => (await import('./command.ts')).perform
  }
}
