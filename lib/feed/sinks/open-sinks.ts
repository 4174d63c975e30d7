import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { makeFolder, writeAtomic } from '../../objects/atomic-file.ts'
import type { DocumentsHost } from '../documents/documents-host.ts'
import type { FeedSettings } from '../options.ts'
import { DocumentsSink } from './documents.ts'
import { RedisSink } from './redis.ts'
import type { Sink } from './sink.ts'

export interface OpenSinks {
  readonly settings: FeedSettings
  /** The feed's own folder */
  readonly folder: string
  readonly host: DocumentsHost
  /** Whether the relay asks who its readers are */
  readonly isControlled: boolean
  readonly log: Log
}

/** The sinks that the options ask for, and the host's own. @throws RelayError RELAY_BAD_OPTION, RELAY_STORAGE_FAILED */
export async function openSinks ({ settings, folder, host, isControlled, log }: OpenSinks): Promise<Sink[]> {
  const sinks: Sink[] = [...settings.sinks]
  try {
    if (settings.documents.length > 0) {
      sinks.push(await DocumentsSink.open({
        rules: settings.documents,
        folder: path.join(folder, 'documents'),
        host,
        log,
        isControlled,
        required: settings.documentsRequired
      }))
    }
    const {
      redisUrl: url, redisStream: stream, redisLayout: layout, redisMaxLength: maxLength, redisMaxAge: maxAge,
      redisRequired: required
    } = settings
    if (url !== undefined) {
      const writer = await writerOf(folder)
      sinks.push(await RedisSink.open({
        url, stream, layout, writer, log, required, maxLength, ...maxAge !== undefined && { maxAge }
      }))
    }
  } catch (error) {
    for (const sink of sinks) await sink.close()
    throw error
  }
  return sinks
}

/**
 * What tells this feed from others that write to the same stream: made once, and kept with the numbers of its records.
 * Where those begin anew it is another.
 */
async function writerOf (folder: string): Promise<string> {
  const file = path.join(folder, 'writer')
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
  const writer = randomUUID()
  await makeFolder(folder)
  await writeAtomic(file, Buffer.from(writer), folder)
  return writer
}
