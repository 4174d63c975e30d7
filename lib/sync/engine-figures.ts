import type { SyncSessions } from '../automerge/workers/sync-sessions.ts'
import type { PeerConnection } from './peers/connection.ts'
import type { LiveDocument } from './document/live-document.ts'
import type { OpenDocuments } from './open-documents.ts'
import type { DocumentState, EngineStats } from './engine.ts'
import type { Standing } from './document/follower.ts'

/** What is going on in the engine. */
export interface EngineLevels {
  /** How many peers of documents stand how; one peer counts for each of its documents. */
  standings: Record<Standing, number>
  /** Documents that Automerge has open, and its calls that are not done. */
  sessions: { open: number, threads: number, calls: number }
  /** Bytes: changes at hand, what peers have not read yet, Automerge's threads. */
  memory: { history: number, outgoing: number, sessions: number }
  /** Documents that cannot be opened, and are tried again. */
  unopened: number
}

export function statsOf (connections: ReadonlySet<PeerConnection>, documents: OpenDocuments['all']): EngineStats {
  let peers = 0
  for (const connection of connections) if (connection.open) peers++
  return { connections: connections.size, peers, documents: documents.size }
}

export function stateOf (document: LiveDocument | undefined): DocumentState | undefined {
  if (document === undefined) return undefined
  const { history: { heads, changes }, audience } = document
  return { heads, changes, peers: audience.followers.size }
}

export function levelsOf (
  connections: ReadonlySet<PeerConnection>, documents: OpenDocuments, sessions: SyncSessions
): EngineLevels {
  const standings: EngineLevels['standings'] = { new: 0, waiting: 0, asked: 0, joining: 0, steady: 0, fallback: 0 }
  let [history, outgoing] = [0, 0]
  for (const document of documents.live()) {
    history += document.history.bytes
    for (const { standing } of document.audience.followers.values()) standings[standing]++
  }
  for (const { backlog } of connections) outgoing += backlog
  const { size, threads, backlog, memory } = sessions
  return {
    standings,
    sessions: { open: size, threads, calls: backlog },
    memory: { history, outgoing, sessions: memory },
    unopened: documents.unopened
  }
}
