import type { nodeJson } from '../http/answers.ts'
import type { RepairReport } from '../operations/repair.ts'
import type { ScrubReport } from '../operations/scrub.ts'
import type { VaultEntry } from '../vault.ts'

/** One line for each object. */
export const listText = (entries: readonly VaultEntry[]): string =>
  entries.map(({ id, generation, description, stored }) => {
    if (description === null) return `${id} belongs to another key, ${stored} bytes at all places\n`
    const { name, kind, size, writtenAt } = description
    return `${id} ${name}: ${kind}, generation ${generation}, ${size} bytes, ${writtenAt}\n`
  }).join('')

export const scrubText = ({ looked, damaged, missing, silent, healed }: ScrubReport): string => [
  ...damaged.map(({ name, place }) => `damaged ${name} at ${place}\n`),
  ...missing.map(({ name, place }) => `missing ${name} ${place === null ? 'everywhere' : `at ${place}`}\n`),
  ...silent.map(place => `${place} does not answer\n`),
  `${looked} shards read, ${damaged.length} damaged, ${missing.length} missing, ${healed.shards} rebuilt\n`
].join('')

export const repairText = ({ objects, repaired, shards, bytes, found }: RepairReport): string => [
  ...Object.entries(found).flatMap(([state, ids]) => ids.map(id => `${state} ${id}\n`)),
  `${objects} objects checked, ${repaired} repaired: ${shards} shards, ${bytes} bytes\n`
].join('')

export const peersText = (nodes: ReadonlyArray<ReturnType<typeof nodeJson>>): string =>
  nodes.map(({ id, domain, state, health, latency, loss }) =>
    `${id} (${domain}): ${loss > 0 ? 'does not answer' : state}, health ${health}, ${latency} ms\n`).join('')

/** What is told once a key is made: without it everything is lost. */
export const keyText = (file: string, recovery: string): string =>
  `The key is in ${file}. Without it nothing in the vault can be read.\n` +
  `Keep this recovery text somewhere else, on paper too:\n\n${recovery}\n\n` +
  'To make the key file from it again: tonk-relay vault key restore\n'
