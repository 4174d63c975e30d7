import t from 'tap'
import { random } from '../fuzz.ts'
import { alone, plugged, theirs } from '../lib/tunnel/fixture.ts'
import { exchange, type RawAnswer, type RawRequest } from '../lib/tunnel/raw.ts'
import { anyGraph, anyWire } from '../lib/tunnel/values.ts'

// The package's own server and ours beside each other, asked the same. FUZZ_ROUNDS and FUZZ_SEED for more.

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 400)
const SEED = Number(process.env['FUZZ_SEED'] ?? 5)

type Below = (n: number) => number

const IDS = [
  'app.tasks.echo', 'app.tasks.echo', 'app.tasks.echo', 'app.tasks.add', 'app.tasks.types', 'app.tasks.fail',
  'app.tasks.failTyped', 'app.tasks.whoami', 'app.tasks.hidden',
  'app.tasks.streamOut', 'app.tasks.a%2Fb%20c', 'app.tasks.a/b%20c', 'app.events.notify', 'app.events.par', 'nope', '',
  '%41pp.tasks.add', 'app.tasks.add/', '/app.tasks.add', 'app.tasks.add?x=1'
]

function anyRequest (below: Below): RawRequest {
  const pick = <T>(list: T[]): T => list[below(list.length)]!
  const rarely = below(8) === 0
  const kind = pick(['task', 'task', 'task', 'event', 'event', 'discovery', 'foo', '/task'])
  const id = kind === 'event' ? pick(['app.events.notify', 'app.events.par', 'nope', 'app.tasks.add']) : pick(IDS)
  const headers: Array<[string, string]> = []
  if (below(8) > 0) headers.push(['x-runner-token', 'dev-secret'])
  else if (below(2) === 0) {
    headers.push(['x-runner-token', pick(['', 'dev-secre', 'dev-secret2', ' dev-secret ', 'DEV-SECRET'])])
  }
  const type = pick([
    'application/json', 'application/json; charset=utf-8', 'text/plain', 'APPLICATION/JSON', 'application/octet-stream',
    'application/octet-streams', undefined
  ])
  if (type !== undefined) headers.push(['content-type', type])
  if (below(6) === 0) {
    headers.push(['x-runner-request-id', pick(['abc', ' spaced ', 'a b', 'x'.repeat(128), 'x'.repeat(129), 'ü', ''])])
  }
  if (below(4) === 0) {
    headers.push(['x-runner-context', pick([
      '{"app.ctx.tenant":"{\\"t\\":1}"}',
      '{"app.ctx.tenant":1}',
      '{',
      '[]',
      '{"app.ctx.tenant":"{"}',
      '{"other":"1"}',
      'null',
      '{"app.ctx.tenant":"{\\"__type\\":\\"Date\\",\\"value\\":\\"2020-01-01T00:00:00.000Z\\"}"}'
    ])])
  }
  const method = rarely ? pick(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) : kind === 'discovery' ? 'GET' : 'POST'
  return { method, path: `/__runner/${kind}/${id}`, headers, ...(method !== 'GET' && { body: anyBody(below, kind) }) }
}

function anyBody (below: Below, kind: string): string {
  const value = () => JSON.stringify(below(5) === 0 ? anyGraph(below) : anyWire(below))
  switch (below(8)) {
    case 0: return ''
    case 1: return ['{', 'x', '[1,', '"a', '{"a":1}}', '\u0000', '{"input":undefined}', "{'a':1}"][below(8)]!
    case 2: return value()
    case 3: return JSON.stringify({ input: { a: below(10), b: below(10) } })
    case 4: return JSON.stringify({
      payload: anyWire(below, 2), returnPayload: [true, false, 0, 'yes', null][below(5)]
    })
    default: return kind === 'event' ? `{"payload":${value()},"returnPayload":true}` : `{"input":${value()}}`
  }
}

/** What does not depend on who answers, and when. */
function normal ({ status, headers, body }: RawAnswer, { method }: RawRequest): object {
  const {
    'x-runner-request-id': requestId, 'content-type': type, 'access-control-allow-origin': origin,
    'x-content-type-options': options, 'x-frame-options': frame, vary, 'x-extra': extra
  } = headers
  const id = requestId !== undefined && /^[0-9a-f]{8}-/.test(requestId) ? 'made' : requestId
  // an error in a result: theirs sends where in the code it came from
  const answered = method === 'HEAD' ? '' : body.replace(/,"stack":"(?:[^"\\]|\\.)*"/g, '')
  return { status, id, type, origin, options, frame, vary, extra, body: answered }
}

/** We refuse what no client writes: dates that are none, lists that are none. Its own then often fail to write them. */
const isStricter = (request: RawRequest, ours: RawAnswer, other: RawAnswer): boolean =>
  ours.body.includes('"INVALID_JSON"') &&
    !other.body.includes('"INVALID_JSON"') && /"(Date|Map|Set)"/.test(String(request.body))

for (const [name, make] of Object.entries({ plugin: plugged, 'server of its own': alone })) {
  t.test(`generated requests are answered alike by the ${name}`, async t => {
    const [our, their] = await Promise.all([make(t), theirs(t)])
    const below = random(SEED)
    const statuses: Record<number, number> = {}
    let stricter = 0
    for (let n = 0; n < ROUNDS; n++) {
      const request = anyRequest(below)
      const [ours, other] = await Promise.all([exchange(our, request), exchange(their, request)])
      if (isStricter(request, ours, other)) {
        stricter++
        continue
      }
      statuses[ours.status] = (statuses[ours.status] ?? 0) + 1
      const [a, b] = [normal(ours, request), normal(other, request)]
      if (JSON.stringify(a) !== JSON.stringify(b)) t.strictSame(a, b, `${n}: ${JSON.stringify(request)}`)
    }
    t.comment({ statuses, stricter })
    for (const status of [200, 204, 400, 401, 403, 404, 405, 500]) t.ok(statuses[status]! > 0, `${status} occurred`)
    t.ok(stricter < ROUNDS / 10)
  })
}
