import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Case } from './oracle.ts'

/** Asks Automerge, in a process that is replaced after each panic, whether it can live with changes. */
export class Judge {
  #process: ChildProcess | undefined

  /** The problem a case makes; undefined when it makes none. */
  async judge (one: Case): Promise<string | undefined> {
    const child = this.#process ??= fork(fileURLToPath(new URL('./oracle.ts', import.meta.url)), {
      serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc']
    })
    child.send(one)
    const { problem } = await answerOf(child)
    if (problem !== undefined) await this.close()
    return problem
  }

  async close (): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child?.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

interface Answer { problem?: string }

async function answerOf (child: ChildProcess): Promise<Answer> {
  const abort = new AbortController()
  const { signal } = abort
  const ended = new Promise<Answer>(resolve => {
    const end = (problem: string) => () => { resolve({ problem }) }
    child.once('exit', end('the process ended'))
    const timer = setTimeout(end('no answer'), 60_000)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      child.removeAllListeners('exit')
    })
  })
  const answered = once(child, 'message', { signal }).then(([answer]) => answer as Answer, () => ended)
  try {
    return await Promise.race([answered, ended])
  } finally {
    abort.abort()
  }
}
