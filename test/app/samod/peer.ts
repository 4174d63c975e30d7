import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { Heads } from '@automerge/automerge'

const program = path.join(import.meta.dirname, '../../../.ci/samod-peer/build')

/** The folder of the built peers; empty when they have not been built. */
export const builtPeers = (): string =>
  execFileSync(program, ['--if-built'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim()

interface Answer { id: string, heads: Heads, found: boolean, value: Record<string, unknown>, error?: string }

/**
 * A peer in a process of its own, which does what it is told (see `.ci/samod-peer/peer.rs`), one thing after the other.
 */
export class SamodPeer {
  readonly ephemeral: string[] = []
  readonly #process
  readonly #waiting: Array<(answer: Answer) => void> = []

  /** @param folder for its documents; without one they are in memory */
  constructor (t: Test, file: string, folder?: string) {
    this.#process = spawn(file, folder === undefined ? [] : [folder], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => { this.kill() })
    createInterface(this.#process.stdout).on('line', line => {
      const answer = JSON.parse(line) as Answer & { ephemeral?: string }
      if (answer.ephemeral === undefined) this.#waiting.shift()!(answer)
      else this.ephemeral.push(answer.ephemeral)
    })
  }

  /** @throws Error what it answers */
  async do (what: string, order: object = {}): Promise<Answer> {
    const answer = await new Promise<Answer>(resolve => {
      this.#waiting.push(resolve)
      this.#process.stdin.write(`${JSON.stringify({ do: what, ...order })}\n`)
    })
    if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`)
    return answer
  }

  kill (): void { this.#process.kill('SIGKILL') }
}
