import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A call as it came. */
export interface Call {
  method: string
  ids: string[]
  authorization: string | undefined
  userAgent: string | undefined
  at: number
  body: string
}

/** What goes wrong with a call. `rows` changes the answer's rows. */
export interface Fault {
  status?: number
  body?: string
  headers?: Record<string, string>
  /** ms */
  delay?: number
  /** The connection ends in the middle of the answer. */
  cut?: boolean
  rows?: (rows: object[]) => object[]
}

const LISTS: Record<string, [name: string, parameter: string]> = {
  'app.bsky.actor.getProfiles': ['profiles', 'actors'],
  'app.bsky.feed.getPosts': ['posts', 'uris']
}

/**
 * Answers as an AppView and as an account's host do, over HTTP. Knows every account and post that it is asked for,
 * unless they are `missing`. A call of more than 25 or with a malformed id is refused whole.
 */
export class StandInAppView {
  readonly calls: Call[] = []
  readonly missing = new Set<string>()
  /** Labels of accounts, by their DID. */
  readonly labels = new Map<string, string[]>()
  /** What goes wrong with a call, if anything. */
  fault: (call: Call) => Fault | undefined = () => undefined
  /** The password; none: calls need no login. */
  password: string | undefined
  /** Access tokens that are good, and the refresh tokens. */
  readonly access = new Set<string>()
  readonly refresh = new Set<string>()
  logins = 0
  refreshes = 0
  /** s that an access token says it is good for */
  lifetime = 3_600
  /** ms since 1970 */
  now: () => number = Date.now
  #url = ''
  #tokens = 0

  static async start (t: Pick<Test, 'teardown'>): Promise<StandInAppView> {
    const appView = new StandInAppView()
    const server = createServer((request, response) => {
      appView.#answer(request, response).catch(error => { response.destroy(error) })
    })
    t.teardown(async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    })
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    appView.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return appView
  }

  get url (): string { return this.#url }

  /** How often an id was asked for. */
  asked (id: string): number { return this.calls.filter(({ ids }) => ids.includes(id)).length }

  callsOf (method: string): Call[] { return this.calls.filter(call => call.method.endsWith(method)) }

  profile (did: string): object {
    const labels = (this.labels.get(did) ?? []).map(val => ({
      src: did, uri: `at://${did}/app.bsky.actor.profile/self`, val, cts: '2026-01-01T00:00:00.000Z'
    }))
    return {
      did,
      handle: `${did.split(':')[2]}.test`,
      displayName: `Name of ${did}`,
      labels,
      indexedAt: '2026-01-01T00:00:00.000Z'
    }
  }

  post (uri: string): object {
    return {
      uri,
      cid: 'bafyreigj6urjlhd4vudcccvzt7qtf32dkoytasvyn6cjwqwo4d2zbmjmce',
      author: this.profile(uri.split('/')[2]!),
      record: { $type: 'app.bsky.feed.post', text: `Text of ${uri}` },
      labels: []
    }
  }

  /** Tokens that are good. */
  issue (): { accessJwt: string, refreshJwt: string } {
    const claims = Buffer.from(JSON.stringify({
      exp: Math.floor(this.now() / 1_000) + this.lifetime, n: ++this.#tokens
    }))
      .toString('base64url')
    const tokens = { accessJwt: `e30.${claims}.a`, refreshJwt: `e30.${claims}.r` }
    this.access.add(tokens.accessJwt)
    this.refresh.add(tokens.refreshJwt)
    return tokens
  }

  async #answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, 'http://localhost')
    const method = url.pathname.replace('/xrpc/', '')
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const [list, parameter] = LISTS[method] ?? []
    const call: Call = {
      method,
      ids: url.searchParams.getAll(parameter ?? ''),
      authorization: request.headers.authorization,
      userAgent: request.headers['user-agent'],
      at: performance.now(),
      body
    }
    this.calls.push(call)
    const fault = this.fault(call) ?? {}
    if (fault.delay !== undefined) await new Promise(resolve => setTimeout(resolve, fault.delay).unref())
    const { status, json } = fault.status === undefined
      ? this.#json(call, list, fault)
      : { status: fault.status, json: {} }
    const text = fault.body ?? JSON.stringify(json)
    response.writeHead(status, { 'content-type': 'application/json', ...fault.headers })
    if (fault.cut === true) response.write(text.slice(0, text.length / 2), () => { response.destroy() })
    else response.end(text)
  }

  #json (call: Call, list: string | undefined, fault: Fault): { status: number, json: object } {
    if (call.method === 'com.atproto.server.createSession') return this.#login(call)
    if (call.method === 'com.atproto.server.refreshSession') return this.#renew(call)
    if (list === undefined) {
      return { status: 501, json: { error: 'MethodNotImplemented', message: 'Method Not Implemented' } }
    }
    if (this.password !== undefined && !this.access.has(call.authorization?.slice('Bearer '.length) ?? '')) {
      return { status: 400, json: { error: 'ExpiredToken', message: 'Token has expired' } }
    }
    const isBad = call.ids.length > 25 || call.ids.length === 0 ||
      call.ids.some(id => !/^(did:[a-z]+:[\w.:%-]+|at:\/\/did:[a-z]+:[\w.:%-]+\/[\w.]+\/[\w.~:-]+)$/.test(id))
    if (isBad) return { status: 400, json: { error: 'InvalidRequest', message: 'Error: Params must be valid' } }
    const rows = [...new Set(call.ids)].filter(id => !this.missing.has(id))
      .map(id => list === 'profiles' ? this.profile(id) : this.post(id))
    return { status: 200, json: { [list]: fault.rows?.(rows) ?? rows } }
  }

  #login ({ body }: Call): { status: number, json: object } {
    this.logins++
    const { password } = JSON.parse(body) as { password: string }
    if (password !== this.password) {
      return { status: 401, json: { error: 'AuthenticationRequired', message: 'Invalid identifier or password' } }
    }
    return { status: 200, json: this.issue() }
  }

  #renew ({ authorization }: Call): { status: number, json: object } {
    this.refreshes++
    if (!this.refresh.delete(authorization?.slice('Bearer '.length) ?? '')) {
      return { status: 400, json: { error: 'ExpiredToken', message: 'Token has been revoked' } }
    }
    return { status: 200, json: this.issue() }
  }
}
