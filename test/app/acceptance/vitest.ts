import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

/**
 * As much of vitest as automerge-repo's acceptance suites use; `suite.ts` puts it in vitest's place and runs what is
 * collected here.
 */

export type Context = Record<string, unknown>
type Setup = (context: Context) => Promise<(() => unknown) | undefined>

export interface Scenario { title: string, run: (context: Context) => Promise<void> }

export const collected = { scenarios: [] as Scenario[], setups: [] as Setup[] }

const titles: string[] = []

export function describe (title: string, body: () => void): void {
  titles.push(title)
  body()
  titles.pop()
}

export function it (title: string, run: Scenario['run']): void {
  collected.scenarios.push({ title: [...titles.slice(1), title].join(': '), run })
}

export function beforeEach (setup: Setup): void {
  collected.setups.push(setup)
}

export const expect = (actual: unknown) => ({
  toBeUndefined (): void { assert.equal(actual, undefined) },
  toStrictEqual (expected: unknown): void { assert.deepStrictEqual(inAnyOrder(actual), inAnyOrder(expected)) },
  toMatchObject (expected: Record<string, unknown>): void {
    for (const [key, value] of Object.entries(expected)) {
      assert.ok(isDeepStrictEqual((actual as Record<string, unknown>)[key], value), key)
    }
  }
})

/** The suites list stored values in the order they were saved in, which no folder keeps. */
const inAnyOrder = (value: unknown): unknown =>
  Array.isArray(value) ? value.toSorted((a, b) => String(a.key).localeCompare(String(b.key))) : value
