import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import path from 'node:path'
import type { Test } from 'tap'
import { settings } from '../../lib/cli/settings.ts'

/** Made by `npm run build`, which `npm test` runs first. */
export const executable = path.join(import.meta.dirname, '../../dist/bin/tonk-relay.js')

export interface Exit { code: number | null, signal: string | null, stdout: string, stderr: string }

export interface Running {
  child: ChildProcess
  exit: Promise<Exit>
  /** The message of the ready line; rejects when the program ends without one. */
  ready: () => Promise<string>
}

export interface Surroundings { cwd?: string, env?: Record<string, string>, program?: string, before?: string[] }

/**
 * Runs the built executable (or `program` with `before` in front of the arguments) in an empty folder and with none of
 * the settings' variables, and kills it after the test.
 */
export function run (t: Test, argv: string[], { cwd = t.testdir(), env = {}, program = executable, before = [] }: Surroundings = {}): Running {
  const clean = { ...process.env }
  for (const { variable } of settings) delete clean[variable]
  const child = spawn(program, [...before, ...argv], { cwd, env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })

  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const exit = once(child, 'close').then(async ([code, signal]): Promise<Exit> => {
    const [stdout, stderr] = await output
    return { code, signal, stdout, stderr }
  })
  const line = firstLine(child, 'Tonk relay ready')
  const failed = exit.then(({ code, stderr }) => { throw new Error(`exit ${code} before the ready line: ${stderr}`) })
  failed.catch(() => {}) // for `ready` only, which may not be asked
  return { child, exit, ready: () => Promise.race([line, failed]) }
}

/** The message of the first JSON line on stdout whose message starts so. */
function firstLine (child: ChildProcess, start: string): Promise<string> {
  return new Promise(resolve => {
    let output = ''
    child.stdout!.on('data', chunk => {
      output += chunk
      for (const line of output.split('\n').slice(0, -1)) {
        const message = line.startsWith('{') ? JSON.parse(line).msg : ''
        if (message.startsWith(start)) resolve(message)
      }
    })
  })
}

/** The HTTP address in a ready line. */
export const urlIn = (message: string): string => /http:\S+/.exec(message)![0]
