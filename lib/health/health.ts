import { RelayError, codeOf, messageOf } from '../errors.ts'
import type { Check } from './probe.ts'

export type CheckResult = { status: 'ok' } | { status: 'failing', reason: string }

/** `status` is `failing` when one of the checks is. */
export interface HealthReport { status: 'ok' | 'failing', checks: Record<string, CheckResult> }

/** Whether the relay is of use at the moment, and if not, why. */
export class Health {
  readonly #checks: Array<readonly [string, Check]>

  /** @param checks by name; each name becomes a label of the metrics */
  constructor (checks: Record<string, Check>) {
    this.#checks = Object.entries(checks)
  }

  /** Looks at one more. @param name becomes a label of the metrics */
  add (name: string, check: Check): void {
    this.#checks.push([name, check])
  }

  /** Runs all checks; never rejects. */
  async report (): Promise<HealthReport> {
    const results = await Promise.all(this.#checks.map(async ([name, check]) => [name, await resultOf(check)] as const))
    return {
      status: results.every(([, { status }]) => status === 'ok') ? 'ok' : 'failing',
      checks: Object.fromEntries(results)
    }
  }
}

async function resultOf (check: Check): Promise<CheckResult> {
  try {
    await check()
    return { status: 'ok' }
  } catch (error) {
    return { status: 'failing', reason: reasonOf(error) }
  }
}

/** Anybody may ask: a reason names no path, so of an error of the system or of a library only its code is told. */
function reasonOf (error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = codeOf(at)
    if (code !== undefined && !(at instanceof RelayError)) return code
  }
  return error instanceof RelayError ? error.code : messageOf(error)
}
