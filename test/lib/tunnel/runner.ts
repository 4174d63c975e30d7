import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The versions of the official package that are tested with. */
export const VERSIONS = ['5.0.0', '5.2.1', '5.5.0'] as const

export type Runner = typeof import('runner-5.5.0')
type RunnerNode = typeof import('runner-5.5.0/node')

/** The package itself, for Node; its ES module cannot be loaded, so this is the other one. */
export const runner = (version: typeof VERSIONS[number] = '5.5.0'): Runner & RunnerNode =>
  require(`runner-${version}/node`)
