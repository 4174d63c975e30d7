import path from 'node:path'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import type { Perform, Task } from '../concern.ts'
import { RelayError, messageOf } from '../errors.ts'
import { silent } from '../log.ts'
import { parseOptions } from '../options.ts'
import { readText } from '../settings-file.ts'
import { archivePlace } from './archive/open-archive.ts'
import { verifyArchive, verifyRecords, type Verdict } from './archive/verify.ts'

const HERE = 'http://127.0.0.1:8081'
const UNSOUND = 2
const TIMEOUT = 30_000 // ms

type Print = Parameters<Perform>[2]

/** `tonk-relay feed …`: looks after a feed, by way of its relay, or proves what it has stored. */
export const perform: Perform = async (task, given, print) => {
  const [word = '', ...words] = task.words
  if (word === 'verify' && words.length === 0) return await verify(given, task.own['json'] === true, print)
  const call = requestOf(word, words)
  if (call === undefined) {
    throw new RelayError('RELAY_BAD_OPTION', `feed ${task.words.join(' ')}: there are status, ` +
    'verify, seal, dead, dead retry <id>, dead drop <id>, replay <sink> <after>')
  }
  const answer = await ask(task, ...call)
  print(`${JSON.stringify(answer, null, task.own['json'] === true ? undefined : 2)}\n`)
  return 0
}

type Call = [method: string, path: string]

function requestOf (word: string, [first, second, ...more]: string[]): Call | undefined {
  if (more.length > 0) return undefined
  if (word === 'status' && first === undefined) return ['GET', 'stats']
  if (word === 'seal' && first === undefined) return ['POST', 'seal']
  if (word === 'dead' && first === undefined) return ['GET', 'dead-letters']
  if (word === 'dead' && first === 'retry' && second !== undefined) {
    return ['POST', `dead-letters/${encodeURIComponent(second)}`]
  }
  if (word === 'dead' && first === 'drop' && second !== undefined) {
    return ['DELETE', `dead-letters/${encodeURIComponent(second)}`]
  }
  if (word === 'replay' && second !== undefined) {
    return ['POST', `sinks/${encodeURIComponent(first!)}/replay?after=${encodeURIComponent(second)}`]
  }
  return undefined
}

/** Asks the running relay. @throws RelayError RELAY_NOT_READY when there is none, or with what it answers */
async function ask ({ own }: Task, method: string, what: string): Promise<unknown> {
  const url = String(own['url'] ?? HERE).replace(/\/$/, '')
  const file = own['token-file']
  const headers: Record<string, string> = typeof file === 'string'
    ? { authorization: `Bearer ${readText(file).trim()}` }
    : {}
  let response
  try {
    response = await fetch(`${url}/feed/${what}`, { method, headers, signal: AbortSignal.timeout(TIMEOUT) })
  } catch (cause) {
    throw new RelayError(
      'RELAY_NOT_READY', `no relay answers at ${url}: ${messageOf((cause as Error).cause ?? cause)}`, { cause }
    )
  }
  const text = await response.text()
  if (!response.ok) {
    throw new RelayError('RELAY_BAD_REQUEST', `${url} answers ${response.status}: ${text.slice(0, 500)}`)
  }
  return text === '' ? {} : JSON.parse(text)
}

/** Goes through what is sealed here, and what is archived. */
async function verify (given: object, isJson: boolean, print: Print): Promise<number> {
  const { feed, storage, s3 } = parseOptions({
    ...given, feed: { ...(given as { feed?: object }).feed, enabled: true }
  })
  const verdicts: Record<string, Verdict> = {
    records: await verifyRecords(path.join(path.resolve(storage), 'feed', 'records'))
  }
  const place = await archivePlace(feed!, s3, silent)
  if (place !== undefined) {
    const scratch = await mkdtemp(path.join(os.tmpdir(), 'feed-verify-'))
    try {
      verdicts['archive'] = await verifyArchive({ ...place, scratch })
    } finally {
      await place.objects.close()
      await rm(scratch, { recursive: true, force: true })
    }
  }
  print(isJson
    ? `${JSON.stringify(verdicts)}\n`
    : Object.entries(verdicts).map(([name, verdict]) => textOf(name, verdict)).join(''))
  return Object.values(verdicts).some(({ problems }) => problems.length > 0) ? UNSOUND : 0
}

function textOf (name: string, { files, rows, firstNumber, lastNumber, gaps, problems }: Verdict): string {
  const head = files === 0
    ? `${name}: no sealed files\n`
    : `${name}: ${files} files, ${rows} records, ` +
    `${firstNumber} to ${lastNumber}, ${problems.length === 0 ? 'nothing is missing' : 'not sound'}\n`
  const lines = [
    ...gaps.map(({ from, to }) => `  gap: from ${timeOf(from.timeUs)} to ${timeOf(to.timeUs)} no server had ` +
      'the stream'),
    ...problems.map(problem => `  ${problem}`)
  ]
  return head + lines.map(line => `${line}\n`).join('')
}

const timeOf = (timeUs: number): string => new Date(timeUs / 1_000).toISOString()
