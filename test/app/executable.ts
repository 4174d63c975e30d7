import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
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

export interface Surroundings { cwd?: string, env?: Record<string, string>, program?: string, readyLine?: string }

/**
 * Runs the built executable, or another program, in an empty folder and with none of the settings' variables, and kills
 * it after the test.
 */
export function run (
  t: Test, argv: string[],
  { cwd = t.testdir(), env = {}, program = executable, readyLine = 'Tonk relay ready' }: Surroundings = {}
): Running {
  const clean = { ...process.env }
  for (const { variable } of settings) delete clean[variable]
  const [command, ...words] = withoutLoader([program, ...argv], env['NODE_OPTIONS'])
  const child = spawn(command!, words, { cwd, env: { ...clean, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })

  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const exit = once(child, 'close').then(async ([code, signal]): Promise<Exit> => {
    const [stdout, stderr] = await output
    return { code, signal, stdout, stderr }
  })
  const line = firstLine(child, readyLine)
  const failed = exit.then(({ code, stderr }) => { throw new Error(`exit ${code} before the ready line: ${stderr}`) })
  failed.catch(() => {}) // for `ready` only, which may not be asked
  return { child, exit, ready: () => Promise.race([line, failed]) }
}

/**
 * A command without the loader that tap hands to every process by NODE_OPTIONS: Node may leave a thread that registers
 * one waiting for ever.
 */
export const withoutLoader = (command: string[], options = ''): string[] =>
  process.platform === 'win32' ? command : ['env', `NODE_OPTIONS=${options}`, ...command]

/** The message of the first JSON line on stdout whose message starts so. */
function firstLine (child: ChildProcess, start: string): Promise<string> {
  return new Promise(resolve => {
    let output = ''
    child.stdout!.on('data', chunk => {
      output += chunk
      for (const line of output.split('\n').slice(0, -1)) {
        const message = line.startsWith('{') ? JSON.parse(line).msg ?? '' : ''
        if (message.startsWith(start)) resolve(message)
      }
    })
  })
}

/** The HTTP address in a ready line. */
export const urlIn = (message: string): string => /http:\S+/.exec(message)![0]

/** A WebSocket peer that gets its upgrade and never says another word. */
export async function mutePeer (t: Test, url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), new URL(url).hostname)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {}) // however the relay ends it
  socket.write('GET / HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  const [answer] = await once(socket, 'data')
  if (!String(answer).startsWith('HTTP/1.1 101')) throw new Error(`no upgrade: ${answer}`)
}
