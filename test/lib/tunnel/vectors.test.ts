import t, { type Test } from 'tap'
import { alone, plugged, theirs } from './fixture.ts'
import { exchange, type RawAnswer } from './raw.ts'
import { vectors } from './vectors.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Where we answer otherwise, and why. */
const differences = {
  plugin: {
    'outside base': 'is the host’s to answer',
    'base prefix lookalike': 'is the host’s to answer',
    'OPTIONS outside': 'is the host’s to answer',
    'bad percent': 'Fastify refuses it before any route is found'
  },
  'server of its own': {},
  'recorded server': {}
} satisfies Record<string, Record<string, string>>

/** Headers of Node's and of Fastify's, which are no part of the wire. */
const IGNORED = [
  'date', 'connection', 'keep-alive', 'content-length', 'access-control-allow-origin', 'x-content-type-options',
  'x-frame-options', 'x-runner-request-id', 'content-type'
]

for (const [name, make] of Object.entries({ plugin: plugged, 'server of its own': alone, 'recorded server': theirs })) {
  t.test(`recorded exchanges with the ${name}`, async t => {
    const url = await make(t)
    const different = { ...differences[name as keyof typeof differences] } as Record<string, string>
    for (const [number, title, request, headers, body, status, expected, particular = {}] of vectors) {
      const [method, path] = request.split(' ') as [string, string]
      const answer = await exchange(url, { method, path, headers, body })
      if (title in different) {
        t.notOk(answer.status === status && answer.body === expected, `${number} ${title} ${different[title]}`)
        continue
      }
      t.equal(answer.status, status, `${number} ${title}`)
      if (expected !== undefined && answer.body !== expected) {
        t.equal(short(answer.body), short(expected), `${number} ${title}`)
      }
      checkHeaders(t, title, answer, particular)
    }
  })
}

const short = (text: string): string => `${text.length}: ${text.slice(0, 500)}`

function checkHeaders (
  t: Test, title: string, { headers, status }: RawAnswer, particular: Record<string, string>
): void {
  const outside = /outside|lookalike/.test(title)
  if (status !== 204) {
    t.match(
      headers,
      { 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' },
      title
    )
    if (!outside) t.match(headers['x-runner-request-id'], particular['x-runner-request-id'] ?? UUID, title)
    t.equal(headers['content-type'], particular['content-type'] ?? 'application/json; charset=utf-8', title)
  } else {
    t.match(headers, { 'access-control-allow-origin': '*', 'content-length': '0' }, title)
    for (const name of ['x-content-type-options', 'x-frame-options', 'x-runner-request-id']) {
      t.notOk(name in headers, `${title}: no ${name}`)
    }
  }
  for (const [name, value] of Object.entries(particular)) t.equal(headers[name], value, `${title}: ${name}`)
  for (const name of Object.keys(headers)) if (!IGNORED.includes(name)) t.ok(name in particular, `${title}: ${name}`)
}
