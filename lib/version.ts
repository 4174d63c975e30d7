import { createRequire } from 'node:module'

/** The relay's own version. A package may require itself by name, from its sources as from `dist`. */
export const version: string = createRequire(import.meta.url)('fastify-automerge-relay/package.json').version
