import type { TSchema } from 'typebox'
import type { Call } from './calls/call.ts'
import type { EntryOptions } from './calls/registry.ts'

type Schemas = 'input' | 'result'

/** How a task is called. `input` and `result` are JSON schemas (TypeBox's also give the types). */
export type TaskOptions<Input extends TSchema, Result extends TSchema> =
  Omit<EntryOptions, Schemas | 'parallel'> & { input?: Input, result?: Result }

/** How an event is handled. `payload` is a JSON schema. */
export type EventOptions<Payload extends TSchema> = Omit<EntryOptions, Schemas> & { payload?: Payload }

/**
 * Runs a task: gives its result, throws a `TunnelError` or a typed error to tell its caller, anything else to tell
 * nobody.
 */
export type TaskHandler<Input, Result> = (input: Input, call: Call) => Result | Promise<Result>

/** Handles an event. What it returns, or the payload as it has changed it, goes back to a sender who asks. */
export type EventHandler<Payload> = (payload: Payload, call: Call) => unknown
