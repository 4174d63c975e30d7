import type { Figures } from '../meter.ts'
import type { Server, StartOptions } from '../server.ts'
import type { ServerKind } from '../servers.ts'

/** One kind of work, done the same with each server. */
export interface Load {
  name: string
  /** What happens, with its numbers. */
  title: string
  /** Whether a server can take part. */
  suits: (kind: ServerKind) => boolean
  /** Where its document comes from and the like, made before the first run. */
  prepare?: () => Promise<void>
  /** How the server is started; by default as it is, on an empty folder. */
  start?: StartOptions
  run: (kind: ServerKind, server: Server) => Promise<Figures>
}

export const anyServer = (): boolean => true
export const withDocuments = ({ name }: ServerKind): boolean => !name.startsWith('ws-')
export const withAutomerge = ({ isAutomerge }: ServerKind): boolean => isAutomerge
