import { createRequire, register } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import { collected, type Context, type Scenario } from './vitest.ts'

const LONGEST = 10_000 // ms of a scenario; those that fail wait for ever

const ours = new URL('./vitest.ts', import.meta.url).href
register('data:text/javascript,' + encodeURIComponent(
  `export const resolve = (name, context, next) => next(name === 'vitest' ? ${JSON.stringify(ours)} : name, context)`
))

// by their files, as the loader of the tests does not know such an entry in a package's exports
const { resolve } = createRequire(import.meta.url)
const suite = async (name: string) =>
  await import(pathToFileURL(resolve(`@automerge/automerge-repo/helpers/tests/${name}.js`)).href)

type Tests = typeof import('@automerge/automerge-repo/helpers/tests/network-adapter-tests.js') &
  typeof import('@automerge/automerge-repo/helpers/tests/storage-adapter-tests.js')

export const { runNetworkAdapterTests }: Pick<Tests, 'runNetworkAdapterTests'> =
  await suite('network-adapter-tests')
export const { runStorageAdapterTests }: Pick<Tests, 'runStorageAdapterTests'> =
  await suite('storage-adapter-tests')

/**
 * Runs one of automerge-repo's suites, a tap test for each of its scenarios.
 * @param define has the suite collect its scenarios
 * @param inapplicable why a scenario is left out, by its title
 * @returns how many there are
 */
export async function runSuite (
  t: Test, define: () => void, inapplicable: Record<string, string> = {}
): Promise<number> {
  collected.scenarios = []
  collected.setups = []
  define()
  const { scenarios, setups } = collected
  for (const { title, run } of scenarios) {
    await t.test(title, { skip: inapplicable[title] ?? false }, async t => {
      await t.resolves(play(run, setups))
    })
  }
  return scenarios.length
}

async function play (run: Scenario['run'], setups: typeof collected.setups): Promise<void> {
  const context: Context = {}
  const teardowns = []
  for (const setup of setups) teardowns.push(await setup(context))
  try {
    const timedOut = sleep(LONGEST, undefined, { ref: false }).then(() => {
      throw new Error(`not over after ${LONGEST} ms`)
    })
    await Promise.race([run(context), timedOut])
  } finally {
    for (const teardown of teardowns) await teardown?.()
  }
}
