import { Gauge, type Registry } from 'prom-client'
import type { RelayEngine } from './relay-engine.ts'

/** Puts what goes on in the engine where Prometheus gets it from. */
export function registerSyncMetrics (engine: RelayEngine, registry: Registry): void {
  const registers = [registry]
  // eslint-disable-next-line no-new
  new Gauge({
    name: 'relay_followers',
    help: 'Peers of documents, each once for every document, by how they stand to it',
    labelNames: ['standing'],
    registers,
    collect () { for (const [standing, count] of Object.entries(engine.levels().standings)) this.set({ standing }, count) }
  })
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name, help, registers, collect () { this.set(read()) } }) // eslint-disable-line no-new
  }
  gauge('relay_unopened_documents', 'Documents that cannot be opened: their peers are told that they are not available, and they are tried again', () => engine.levels().unopened)
  gauge('relay_sync_sessions', 'Documents that Automerge has open for peers whose sync was left to it', () => engine.levels().sessions.open)
  gauge('relay_sync_session_threads', 'Threads for these', () => engine.levels().sessions.threads)
  gauge('relay_sync_session_calls', 'Calls of these that are not done', () => engine.levels().sessions.calls)
}
