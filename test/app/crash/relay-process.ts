import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { settings } from '../../../lib/cli/settings.ts'
import { executable, urlIn, withoutLoader } from '../executable.ts'

/** Has the relay fold every so many ms in place of every 15 s; it has no option for that, so the timer is changed. */
const foldEvery = (ms: number): string[] => ['--import', 'data:text/javascript,' + encodeURIComponent(
  `const real = setInterval; globalThis.setInterval = (run, ms, ...rest) => real(run, ms === 15000 ? ${ms} : ms, ` +
    '...rest)'
)]

export interface Line { level: number, msg: string, err?: { message: string, stack: string } }

export interface RelayProcessOptions {
  foldInterval?: number | undefined
  program?: string | undefined
  flags?: string[]
  /** More variables */
  env?: Record<string, string>
  /** A command that runs the relay. */
  wrap?: string[]
}

/** A relay that ended before it was ready. */
export class NotReady extends Error {
  /** What it said on stderr. */
  readonly said: string

  constructor (how: string | number | null, said: string) {
    super(`the relay ended before it was ready: ${how} ${said}`)
    this.said = said
  }
}

/** The built executable on a storage folder. */
export class RelayProcess {
  readonly url: string
  /** ms from its start until it was ready. */
  readonly startTime: number
  readonly #child: ChildProcess
  readonly #lines: Line[]
  readonly #exit: Promise<[number | null, string | null]>

  private constructor (
    child: ChildProcess, url: string, startTime: number, lines: Line[], exit: Promise<[number | null, string | null]>
  ) {
    this.#child = child
    this.url = url
    this.startTime = startTime
    this.#lines = lines
    this.#exit = exit
  }

  /**
   * @param program the executable, `dist/bin/tonk-relay.js` unless another is given
   * @param flags more arguments for it
   */
  static async start (
    folder: string,
    { foldInterval, program = executable, flags = [], env: more = {}, wrap = [] }: RelayProcessOptions = {}
  ): Promise<RelayProcess> {
    const env = { ...process.env }
    for (const { variable } of settings) delete env[variable]
    Object.assign(env, more)
    const begun = performance.now()
    const node = [process.execPath, ...foldInterval === undefined ? [] : foldEvery(foldInterval)]
    const [command, ...rest] = withoutLoader([...wrap, ...node, program, '0', '--storage', folder, ...flags])
    const child = spawn(command!, rest, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stderr.on('data', text => { said += text })
    const exit = once(child, 'close') as Promise<[number | null, string | null]>
    const lines: Line[] = []
    const url = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout).on('line', text => {
        const line: Line = text.startsWith('{') ? JSON.parse(text) : { level: 50, msg: `what is no log line: ${text}` }
        lines.push(line)
        if (line.msg.startsWith('Tonk relay ready')) resolve(urlIn(line.msg))
      })
      exit.then(([code, signal]) => { reject(new NotReady(code ?? signal, said.trim())) })
    })
    return new RelayProcess(child, url, performance.now() - begun, lines, exit)
  }

  /** How many lines it logged that begin so. */
  logged (start: string): number {
    return this.#lines.filter(({ msg }) => msg.startsWith(start)).length
  }

  /** Its errors. */
  get errors (): string[] {
    return this.#lines.filter(({ level }) => level >= 50)
      .map(({ msg, err }) => err === undefined ? msg : `${msg}: ${err.stack}`)
  }

  /** Has it stand still, or go on. Not to one that a command runs. */
  signal (name: 'SIGSTOP' | 'SIGCONT'): void { this.#child.kill(name) }

  /** Exit code and signal, when it is gone. */
  get exit (): Promise<[number | null, string | null]> { return this.#exit }

  /** Ends it and waits until it is gone. @returns exit code and signal */
  async end (signal: 'SIGKILL' | 'SIGTERM'): Promise<[number | null, string | null]> {
    this.#child.kill(signal)
    return await this.#exit
  }
}
