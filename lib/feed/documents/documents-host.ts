import type { SyncEngine } from '../../sync/engine.ts'

/** What feed documents need of the relay they are synced by. */
export type DocumentsHost = Pick<SyncEngine, 'snapshot' | 'merge' | 'apply' | 'heads' | 'remove'>
