import type { Action } from '../../../lib/access/action.ts'
import { may, refusalOf, type Name, type Resource } from './principals.ts'

/** What a route does for whom. */
export interface RouteRow {
  /** Who may do one of these, or anybody. */
  access: 'public' | readonly Action[]
  /** What its id names: who may not read that is answered as if it were not there. */
  of?: 'document' | 'bundle'
  /** Only its creator and administrators may. */
  ofOwner?: true
  /** What it takes beside, for each resource. */
  needs?: Record<Resource, readonly Action[]>
  /** The status once it is allowed: of each resource, or of the one that it is about. */
  answer: Record<Resource, number> | readonly [Resource, number]
  /** What is asked for in place of `:name` and `*`. */
  path?: string
  type?: string
  body?: 'bundle' | string
  /** There is no more of the resource afterwards. */
  destroys?: true
  /** Its answer goes on. */
  streams?: true
}

const NO_OBJECT = '0'.repeat(64)
const THERE = { mine: 200, other: 200, absent: 404 }
const GONE = { mine: 204, other: 204, absent: 404 }

const open = (status = 200, path?: string): RouteRow =>
  ({ access: 'public', answer: ['other', status], ...path !== undefined && { path } })
const document = (row: Partial<RouteRow> = {}): RouteRow =>
  ({ access: ['document:read'], of: 'document', answer: THERE, ...row })
const bundle = (row: Partial<RouteRow> = {}): RouteRow =>
  ({ access: ['bundle:read'], of: 'bundle', answer: THERE, ...row })
const other = (action: Action, status = 200, path?: string): RouteRow =>
  ({ access: [action], answer: ['other', status], ...path !== undefined && { path } })
const administration = (answer: RouteRow['answer']): RouteRow => ({ access: ['administer'], answer })

/** Every route there is. GET has HEAD with it; what is in no row must be refused (405). */
export const ROUTES: Record<string, RouteRow> = {
  'GET /': open(),
  'GET /*': open(404, '/any/where'),
  'GET /tonk_core_bg.wasm': open(404),
  'GET /health/live': open(),
  'GET /health/ready': open(),
  'GET /openapi.json': open(),
  'GET /docs': open(308),
  'GET /docs/*': open(404, '/docs/none'),
  'GET /metrics': { access: ['metrics:read'], answer: ['other', 200] },

  'GET /.manifest.tonk': { access: ['bundle:read'], answer: ['other', 200] }, // the served bundle is in nobody’s scope
  'GET /api/blank-tonk': open(),
  'POST /api/bundles': {
    access: ['bundle:create', 'bundle:replace'],
    needs: {
      mine: ['bundle:replace', 'document:write'], other: ['bundle:replace', 'document:write'], absent: ['bundle:create']
    },
    ofOwner: true,
    type: 'application/octet-stream',
    body: 'bundle',
    destroys: true, // what is absent is there afterwards
    answer: { mine: 200, other: 200, absent: 200 }
  },
  'GET /api/bundles/:id': bundle(),
  'GET /api/bundles/:id/manifest': bundle(),
  'DELETE /api/bundles/:id': bundle({ access: ['bundle:delete'], ofOwner: true, destroys: true, answer: GONE }),

  'POST /api/documents': {
    access: ['document:create'], type: 'application/json', body: '{"a":1}', answer: ['absent', 201]
  },
  'GET /api/documents/:id': document(),
  'GET /api/documents/:id/heads': document(),
  'GET /api/documents/:id/history': document(),
  'GET /api/documents/:id/snapshot': document(),
  'GET /api/documents/:id/events': document({ streams: true }),
  'PATCH /api/documents/:id': document({
    access: ['document:write'], type: 'application/merge-patch+json', body: '{"b":2}'
  }),
  'DELETE /api/documents/:id': document({ access: ['document:delete'], destroys: true, answer: GONE }),

  'GET /feed/health': open(),
  'GET /feed/ready': open(),
  'GET /feed/stats': other('feed:read'),
  'GET /feed/gaps': other('feed:read'),
  'GET /feed/records': other('feed:read'),
  'GET /feed/events': { ...other('feed:read'), streams: true },
  'POST /feed/seal': other('feed:manage'),
  'POST /feed/sinks/:sink/replay': other('feed:manage', 404, '/feed/sinks/none/replay?after=0'),
  'GET /feed/dead-letters': other('feed:manage'),
  'POST /feed/dead-letters/:letter': other('feed:manage', 404, '/feed/dead-letters/none'),
  'DELETE /feed/dead-letters/:letter': other('feed:manage', 404, '/feed/dead-letters/none'),

  'GET /api/vault': other('vault:read'),
  'POST /api/vault': {
    ...other('vault:write', 503, '/api/vault?name=a'), type: 'application/octet-stream', body: 'a' // there is no key
  },
  'GET /api/vault/:id': other('vault:read', 404, `/api/vault/${NO_OBJECT}`),
  'GET /api/vault/:id/content': other('vault:read', 503, `/api/vault/${NO_OBJECT}/content`),
  'DELETE /api/vault/:id': other('vault:write', 503, `/api/vault/${NO_OBJECT}`),
  'POST /api/vault/:id/repair': other('vault:manage', 404, `/api/vault/${NO_OBJECT}/repair`),
  'POST /api/vault/repair': other('vault:manage'),
  'POST /api/vault/scrub': other('vault:manage'),
  'POST /api/vault/drill': other('vault:manage', 503),
  'POST /api/vault/collect': other('vault:manage'),
  'GET /api/nodes': other('metrics:read'),

  'GET /ready': open(),
  'GET /api/v1/health': open(),
  'GET /api/v1/stats': other('feed:read'),
  'GET /api/v1/metrics': other('feed:read'),
  'GET /api/v1/ws': other('feed:read', 400),

  'GET /dashboard': open(),
  'GET /dashboard/:file': open(404, '/dashboard/none.js'),
  'GET /dashboard/data/figures': administration(['other', 200]),
  'GET /dashboard/data/connections': administration(['other', 200]),
  'GET /dashboard/data/documents': administration(['other', 200]),
  'GET /dashboard/data/documents/:id': administration({ mine: 200, other: 200, absent: 200 }), // peers may wait for it
  'GET /dashboard/data/bundles': administration(['other', 200]),
  'GET /dashboard/data/bundles/:id': administration(THERE)
}

/** The tunnel's, which says itself who may call what (`test/app/tunnel.test.ts`). */
export const ELSEWHERE = ['/__runner', '/__runner/*', '/__runner/discovery']

/** What the table says somebody is answered: a status, and a code when it is refused. */
export function expected (
  { access, of, ofOwner, needs, answer }: RouteRow, name: Name, resource: Resource
): { status: number, code?: string } {
  const allowed = { status: Array.isArray(answer) ? answer[1] : (answer as Record<Resource, number>)[resource] }
  if (access === 'public') return allowed
  const refusal = refusalOf(name)
  if (refusal !== undefined) return { status: refusal[0], code: refusal[1] }
  if (of !== undefined && !may(name, `${of}:read`, resource)) {
    return { status: 404, code: `RELAY_${of.toUpperCase()}_NOT_FOUND` }
  }
  const denied = { status: 403, code: 'RELAY_ACCESS_DENIED' }
  // an upload names no id in its path; what it is about is looked at when it is there
  if (!access.some(action => may(name, action, needs === undefined ? resource : undefined))) return denied
  if (needs !== undefined && !needs[resource].every(action => may(name, action, resource))) return denied
  const isOwn = resource === 'absent' || may(name, 'administer') || (resource === 'mine' && name === 'writer')
  return ofOwner === true && !isOwn ? denied : allowed
}
