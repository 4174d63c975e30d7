import { JobThread } from '../../threads/job-thread.ts'
import type { Jobs } from './worker.ts'

/** A thread with SQLite in it. Its jobs reject with SQLite's own message and code. */
export const sqliteThread = (): JobThread<Jobs> => new JobThread<Jobs>(new URL('./worker', import.meta.url))
