import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'

/** An upload. `bytes`: as announced; `id`: once the bundle has been read. */
export interface UploadTrace { bytes: number | undefined, id?: string }
/** A document is read from storage because a peer asks for it. `changes`: how many are at hand then. */
export interface OpenTrace { documentId: string, changes?: number }
/** The journal is folded into the documents' files. */
export interface FoldTrace { documents: number, bytes: number }

/**
 * What a host's tracing can listen to (`diagnostics_channel.tracingChannel(name)`): `start`, `end`, `asyncStart`,
 * `asyncEnd` and `error` are published with the context and, for `error`, its `error`. The names and the fields are
 * API.
 */
export const channels = {
  upload: tracingChannel<unknown, UploadTrace>('fastify-automerge-relay.upload'),
  open: tracingChannel<unknown, OpenTrace>('fastify-automerge-relay.open'),
  fold: tracingChannel<unknown, FoldTrace>('fastify-automerge-relay.fold')
}

/**
 * Runs something that a channel tells of, with the context that it may add to; without listeners it is only run. What
 * it results in is the relay's own and not published.
 */
export async function traced<Context extends object, Result> (
  channel: TracingChannel<unknown, Context>, contextOf: () => Context, run: (context?: Context) => Promise<Result>
): Promise<Result> {
  if (!channel.hasSubscribers) return await run()
  const context = contextOf()
  let result: Result
  await channel.tracePromise(async () => { result = await run(context) }, context)
  return result!
}
