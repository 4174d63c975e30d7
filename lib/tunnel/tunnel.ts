import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Static, TSchema } from 'typebox'
import type { Log } from '../log.ts'
import { Answer, streamOf } from './http/answer.ts'
import { Auth } from './calls/auth.ts'
import { bodyKind, readText, takeText } from './http/body.ts'
import { RequestCall, type Call, type Host } from './calls/call.ts'
import { Contexts, type Context, type ContextOptions } from './calls/contexts.ts'
import { Cors } from './http/cors.ts'
import { TunnelError, TypedError, refusal, type TypedErrorOptions } from './errors.ts'
import { Form } from './http/form.ts'
import type { EventHandler, EventOptions, TaskHandler, TaskOptions } from './handlers.ts'
import { Limiter } from './calls/limits.ts'
import { manifestReader } from './http/manifest.ts'
import type { TunnelSettings } from './options.ts'
import { newRequestId } from './http/request-ids.ts'
import { Registry, type Compilers, type Entry } from './calls/registry.ts'
import { Serializer } from './values/serializer.ts'
import { Router, normalizeBase, type CallTarget } from './http/target.ts'

export interface TunnelParts { settings: TunnelSettings, log: Log }

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/

/**
 * Tasks (a request, an answer) and events (told, perhaps with the payload back) over HTTP, as the clients of
 * `@bluelibs/runner` 5.0 to 6.4 speak it. Knows requests and responses, no server.
 */
export class Tunnel {
  readonly basePath: string
  readonly serializer: Serializer
  readonly #settings: TunnelSettings
  readonly #host: Host
  readonly #router: Router
  readonly #auth: Auth
  readonly #cors: Cors
  readonly #contexts: Contexts
  readonly #registry: Registry
  readonly #limiter: Limiter

  constructor ({ settings, log }: TunnelParts) {
    this.basePath = normalizeBase(settings.basePath)
    this.serializer = settings.serializer ?? new Serializer()
    this.#settings = settings
    this.#host = { log }
    this.#router = new Router(this.basePath)
    this.#auth = new Auth({ ...settings, tokenHeader: settings.tokenHeader.toLowerCase() })
    this.#cors = new Cors(settings)
    this.#contexts = new Contexts(this.serializer)
    this.#registry = new Registry(settings.allow)
    this.#limiter = new Limiter(settings)
  }

  /** Offers a task, at any time. @throws Error for an id that is taken, unless it is to be replaced */
  registerTask<Input> (id: string, handler: TaskHandler<Input, unknown>): void
  registerTask<Input extends TSchema, Result extends TSchema> (
    id: string, options: TaskOptions<Input, Result>, handler: TaskHandler<Static<Input>, Static<Result>>): void
  registerTask (id: string, options: object, handler?: object): void {
    const [given, handle] = handler === undefined ? [{}, options] : [options, handler]
    this.#registry.add('task', id, handle as TaskHandler<never, unknown>, given)
  }

  /** Takes an event, at any time. @throws Error for an id that is taken, unless it is to be replaced */
  registerEvent<Payload> (id: string, handler: EventHandler<Payload>): void
  registerEvent<Payload extends TSchema> (
    id: string, options: EventOptions<Payload>, handler: EventHandler<Static<Payload>>
  ): void
  registerEvent (id: string, options: object, handler?: object): void {
    const [given, handle] = handler === undefined ? [{}, options] : [options, handler]
    const { payload, ...rest } = given as EventOptions<TSchema>
    this.#registry.add('event', id, handle as EventHandler<never>, {
      ...rest, ...(payload !== undefined && { input: payload })
    })
  }

  /** An error that callers know by its id. */
  defineError<Data extends object> (id: string, options?: TypedErrorOptions<Data>): TypedError<Data> {
    return new TypedError(id, options)
  }

  /** A value that callers may send along with every call. @throws Error for an id that is taken */
  defineContext<T> (id: string, options?: ContextOptions<T>): Context<T> {
    return this.#contexts.define(id, options)
  }

  /** Ids of all tasks, in the order they were registered */
  async getTaskIds (): Promise<string[]> {
    return this.#registry.ids('task')
  }

  /** Ids of all events, in the order they were registered */
  async getEventIds (): Promise<string[]> {
    return this.#registry.ids('event')
  }

  /** Whoever hosts it has a way to compile schemas. @throws Error for a schema that cannot be compiled */
  compile (compilers: Compilers): void {
    this.#registry.compile(compilers)
  }

  /** Every task and event with what has been counted of it */
  entries (): Entry[] {
    return this.#registry.all()
  }

  /** Whether everybody may call */
  get isOpen (): boolean { return this.#auth.isOpen }

  /** Whether a URL is for the tunnel to answer */
  covers (url: string): boolean {
    return this.#router.covers(url)
  }

  /** Answers a request; one outside of the base path with NOT_FOUND. */
  serve (request: IncomingMessage, response: ServerResponse, host: Host = this.#host): void {
    this.#answer(request, response, host).catch(error => {
      host.log.error({ err: error }, 'the tunnel could not answer')
      response.destroy()
    })
  }

  async #answer (request: IncomingMessage, response: ServerResponse, host: Host): Promise<void> {
    const requestId = requestIdOf(request.headers)
    const answer = new Answer({
      request,
      response,
      requestId,
      cors: this.#cors.headers(request.headers),
      hostHeaders: host.headers,
      limit: this.#settings.maxBody
    })
    if (request.method === 'OPTIONS' && this.covers(request.url!)) {
      answer.preflight(this.#cors.preflight(request.headers))
      return
    }
    const start = performance.now()
    let entry: Entry | undefined
    try {
      const target = this.#router.find(request.url!)
      if (target === undefined || (target.kind === 'discovery' && !this.#settings.discovery)) throw refusal('NOT_FOUND')
      if (request.method !== (target.kind === 'discovery' ? 'GET' : 'POST')) throw refusal('METHOD_NOT_ALLOWED')
      const asked = host.identify === undefined
        ? this.#auth.check(request, false)
        : host.identify(() => this.#auth.check(request, true))
      const known = asked === undefined ? undefined : await asked // a token is known at once
      if (target.kind === 'discovery') {
        answer.ok(this.serializer.stringify(this.#discover()))
        return
      }
      entry = this.#find(request.url!, target)
      const call = new RequestCall(entry.id, requestId, request, response, host, known ?? host.principal)
      await undefined // most bodies are there by then
      const kind = bodyKind(request.headers['content-type'])
      if (entry.kind === 'event') await this.#event(entry, call, answer)
      else if (kind === 'form') await this.#form(entry, call, answer)
      else { // in a function of its own it would be a promise more for each call
        const input = kind === 'bytes'
          ? undefined
          : inputOf(this.#parse(this.#take(call, answer) ?? await this.#text(call)))
        const streaming = this.#reply(entry, answer, await this.#run(entry, call, input))
        if (streaming !== undefined) await streaming
      }
      entry.tally.add(
        response.destroyed && !response.writableFinished ? 'REQUEST_ABORTED' : 'ok', (performance.now() - start) / 1000
      )
    } catch (error) {
      const told = this.#fail(error, answer, { requestId, id: entry?.id, log: host.log })
      entry?.tally.add(told.code, (performance.now() - start) / 1000)
    }
  }

  #find (url: string, target: CallTarget): Entry {
    const entry = this.#registry.find(target.kind, target.id)
    this.#router.remember(url, target)
    return entry
  }

  #discover (): object {
    return {
      allowList: { enabled: true, tasks: this.#registry.exposed('task'), events: this.#registry.exposed('event') }
    }
  }

  /** A form goes on while its task runs; what is wrong with it wins over what comes of the task. */
  async #form (entry: Entry, call: RequestCall, answer: Answer): Promise<void> {
    const form = new Form(call.request, this.#settings, manifestReader(this.serializer))
    const input = await form.input
    const work = (async () => await this.#run(entry, call, input))()
    const settled = work.catch(() => undefined)
    try {
      const stream = streamOf(await Promise.race([settled, form.end.then(() => settled)]))
      if (stream !== undefined) await answer.stream(stream) // which may be made of a file
      form.drain()
      await form.end
    } catch (error) {
      call.abort(error as Error)
      throw error
    }
    const result = await work
    if (!answer.isOver) await this.#reply(entry, answer, result)
  }

  async #event (entry: Entry, call: RequestCall, answer: Answer): Promise<void> {
    const body = this.#parse(this.#take(call, answer) ?? await this.#text(call)) ?? {}
    const { payload, returnPayload } = body as { payload?: unknown, returnPayload?: unknown }
    if (returnPayload && entry.options.parallel === true) {
      throw refusal('PARALLEL_EVENT_RETURN_UNSUPPORTED', `Event ${entry.id} is marked parallel; returning a payload ` +
        'is not supported.')
    }
    const returned = await this.#run(entry, call, payload)
    if (returnPayload) answer.ok(this.serializer.stringify(returned === undefined ? payload : returned))
    else answer.ok()
  }

  /** The body, if it is there; to wait for what is there costs more than to parse it. */
  #take (call: RequestCall, answer: Answer): string | undefined {
    const text = takeText(call.request, this.#settings.maxBody)
    answer.isRequestRead = call.isRequestRead = text !== undefined
    return text
  }

  #text ({ request }: Call): Promise<string> {
    return readText(request, this.#settings.maxBody)
  }

  #parse (text: string): unknown {
    if (text === '') return undefined
    try {
      return this.serializer.parse(text)
    } catch (cause) {
      throw refusal('INVALID_JSON', undefined, { cause })
    }
  }

  /** A value or a promise of one */
  #run (entry: Entry, call: RequestCall, input: unknown): unknown {
    const { validate } = entry
    if (validate !== undefined && validate(input) !== true) throw invalidInput(validate.errors)
    return this.#contexts.run(call.headers['x-runner-context'], () => this.#limiter.run(entry, call, input))
  }

  #reply (entry: Entry, answer: Answer, result: unknown): void | Promise<void> {
    const stream = streamOf(result)
    if (stream !== undefined) return answer.stream(stream)
    if (!answer.isOver) {
      answer.ok(entry.serialize === undefined ? this.serializer.stringify(result) : entry.serialize(result))
    }
  }

  /** Tells what was made to be told, logs the rest; gives what it made of it. */
  #fail (
    error: unknown, answer: Answer, { log, ...facts }: { requestId: string, id: string | undefined, log: Log }
  ): TunnelError {
    const told = error instanceof TunnelError ? error : refusal('INTERNAL_ERROR')
    const isOurs = told !== error || (told.body.id === undefined && told.statusCode >= 500)
    log[isOurs ? 'error' : 'debug']({ ...facts, err: error, code: told.code }, 'tunnel call failed')
    answer.fail(told, this.#errorText(told))
    return told
  }

  #errorText (error: TunnelError): string {
    try {
      return this.serializer.stringify({ ok: false, error: error.body })
    } catch {
      return this.serializer.stringify({ ok: false, error: refusal('INTERNAL_ERROR').body }) // its data cannot be sent
    }
  }
}

/** The caller's id for the request where it is one, else a new one. */
function requestIdOf (headers: IncomingHttpHeaders): string {
  const given = headers['x-runner-request-id']
  if (typeof given !== 'string') return newRequestId()
  const id = given.trim()
  return REQUEST_ID.test(id) ? id : newRequestId()
}

/** `{"input":…}` or, without that key, all of it */
const inputOf = (body: unknown): unknown =>
  typeof body === 'object' && body !== null && Object.hasOwn(body, 'input') ? (body as { input: unknown }).input : body

function invalidInput (errors: unknown): TunnelError {
  const found = (Array.isArray(errors) ? errors : []) as Array<{ instancePath?: string, message?: string }>
  const details = found.map(({ instancePath = '', message = 'is invalid' }) => ({ path: instancePath, message }))
  return refusal(
    'INVALID_INPUT', details.map(({ path, message }) => `input${path} ${message}`).join(', ') || undefined, { details }
  )
}
