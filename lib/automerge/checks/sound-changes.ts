import type * as Automerge from '@automerge/automerge'
import { invalidChange, readChange } from '../format/change.ts'
import type { Hash } from '../format/hash.ts'
import { ACTIONS, readOperations } from '../format/operations.ts'

/** A document of Automerge's WASM. */
export type Handle = ReturnType<typeof Automerge.getBackend>

/**
 * The changes a document has got since, each after those it depends on. What Automerge applies without a word but
 * cannot load again once it has saved it is refused: operations that are not counted on from the changes they depend
 * on, changes that have another hash when it writes them, and marks that end before they begin; and what
 * `readOperations` refuses.
 * @throws RelayError RELAY_DOCUMENT_INVALID, or what Automerge throws
 */
export function soundChanges (document: Handle, since: Hash[]): Uint8Array[] {
  const metas = document.getChangesMeta(since)
  if (metas.length === 0) return []
  const lastOps = new Map<Hash, number>()
  const lastOp = (hash: Hash): number => lastOps.get(hash) ?? document.getChangeMetaByHash(hash)?.maxOp ?? Infinity
  for (const { hash, deps, startOp, maxOp } of metas) {
    if (deps.some(dep => startOp <= lastOp(dep))) throw invalidChange('operations are not counted on')
    lastOps.set(hash, maxOp)
  }
  const chunks = document.getChanges(since)
  let hasMarks = false
  chunks.forEach((chunk, n) => {
    const change = readChange(chunk)
    if (change.hash !== metas[n]!.hash) throw invalidChange('it has another hash when it is written again')
    hasMarks ||= readOperations(change).action.includes(ACTIONS.mark)
  })
  // whether a mark begins before it ends is a matter of where the document has them, which only Automerge knows
  if (hasMarks) document.saveAndVerify()
  return chunks
}
