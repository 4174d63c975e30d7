import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import * as Automerge from '@automerge/automerge'
import type { DocumentId } from '../../../lib/ids.ts'
import type { Client } from './client.ts'
import type { Sample } from './edits.ts'
import { hashesOf, type History } from './history.ts'

const STEP = 50 // ms

/**
 * Waits until all clients have all documents, the same and with all that is required.
 * @returns ms, or undefined when they do not in time
 */
export async function settle (clients: Client[], history: History, longest: number): Promise<number | undefined> {
  const begun = performance.now()
  while (performance.now() - begun < longest) {
    if (history.documents.every(id => isSettled(id, clients, history))) return performance.now() - begun
    await sleep(STEP)
  }
  return undefined
}

function isSettled (id: DocumentId, clients: Client[], history: History): boolean {
  const heads = clients.map(client => headsOf(client.document(id)))
  if (heads.some(each => each !== heads[0])) return false
  const found = clients[0]!.document(id)
  const hashes = found === undefined ? new Set<string>() : hashesOf(found)
  return [...history.required(id)].every(hash => hashes.has(hash))
}

/**
 * Who differs, where: a text for each document that is not the same everywhere, with the last words of those few that
 * differ.
 */
export function differences (clients: Client[], history: History): string[] {
  return history.documents.filter(id => !isSettled(id, clients, history)).map(id => {
    const required = history.required(id)
    const shared = clients.map(client => headsOf(client.document(id)))
    const few = clients.filter((_, n) => shared.filter(heads => heads === shared[n]).length <= clients.length / 2)
    const each = clients.map(client => {
      const doc = client.document(id)
      const hashes = doc === undefined ? new Set<string>() : hashesOf(doc)
      const missing = [...required].filter(hash => !hashes.has(hash)).length
      return `    ${client.name} (${client.peerId}): ${client.stateOf(id)}, ${hashes.size} changes, ` +
        `${missing} missing, heads ` +
        `${shortHeads(doc)}${few.includes(client) ? client.said(id).map(line => `\n      ${line}`).join('') : ''}`
    })
    return `${id} differs, ${required.size} changes are required:\n${each.join('\n')}`
  })
}

/** What is wrong with a document as somebody has it at the end, beside what Automerge makes of everything itself. */
export function compare (id: DocumentId, doc: Automerge.Doc<Sample> | undefined, history: History): string | undefined {
  const hashes = doc === undefined ? new Set<string>() : hashesOf(doc)
  const missing = [...history.required(id)].filter(hash => !hashes.has(hash)).length
  const { doc: expected, problem } = history.merged(id, hashes)
  if (problem !== undefined) return problem
  if (missing > 0) return `${missing} changes are missing of ${hashesOf(expected).size}`
  if (headsOf(doc) !== headsOf(expected)) return `heads ${shortHeads(doc)} in place of ${shortHeads(expected)}`
  if (doc !== undefined && !isDeepStrictEqual(Automerge.toJS(doc), Automerge.toJS(expected))) {
    return 'the same changes, but another content'
  }
  return undefined
}

const headsOf = (doc: Automerge.Doc<unknown> | undefined): string =>
  doc === undefined ? '' : [...Automerge.getHeads(doc)].sort().join()
const shortHeads = (doc: Automerge.Doc<unknown> | undefined): string =>
  doc === undefined ? '(none)' : Automerge.getHeads(doc).map(hash => hash.slice(0, 8)).join(' ')
