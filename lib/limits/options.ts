import { Type, type Static } from 'typebox'

const MiB = 1024 * 1024

const count = (value: number, description: string) => Type.Integer({ default: value, minimum: 1, description })
const millis = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 1, maximum: 2 ** 31 - 1, description })

/**
 * How much of what may be had, its default and its meaning. Rates are those of the long run: two seconds' worth may
 * come at once.
 */
export const limitsSchema = Type.Object({
  connections: count(10_000, 'WebSocket connections in all'),
  connectionsPerAddress: count(2_000, 'WebSocket connections from one address (IPv6: one /64 network)'),
  connectionsPerPrincipal: count(1_000, 'WebSocket connections of one principal, where access is controlled'),
  idle: millis(600_000, 'Time after which a connection that follows no document and says nothing is closed, in ms'),
  messageRate: count(5_000, 'Messages a second that are read from one connection'),
  byteRate: count(16 * MiB, 'Bytes a second that are read from one connection, counted as inflated'),
  ephemeralRate: count(
    500, 'Ephemeral messages a second that are passed on from one connection, each 4 KiB begun counting as one'
  ),
  documentsPerConnection: count(50_000, 'Documents that one connection may follow'),
  documentSize: count(256 * MiB, 'Largest document that still takes changes, in bytes as received and stored'),
  documentChanges: count(2_000_000, 'Most changes of a document'),
  uploads: count(64, 'Bundles uploaded at once in all'),
  uploadsPerAddress: count(8, 'Bundles uploaded at once from one address'),
  bundlesPerPrincipal: count(1_000, 'Bundles that one principal may own, where access is controlled'),
  requestsPerMinute: count(
    6_000, 'HTTP requests and upgrades a minute from one address; health, metrics and the tunnel are left out'
  ),
  eventLoopDelay: millis(
    2_000, 'Mean delay of the event loop over a second from which on requests and upgrades are refused, in ms'
  ),
  memory: Type.Optional(Type.Integer({
    minimum: 1, description: 'Resident memory of the process from which on requests and upgrades are refused, in bytes'
  })),
  descriptors: Type.Optional(Type.Integer({
    minimum: 1,
    description: 'Open files and sockets of the process from which on no connection is taken, below what `ulimit -n` ' +
      'leaves (an eighth of it, 16 to 128, is kept free)'
  }))
}, { additionalProperties: false })

export type LimitsSettings = Static<typeof limitsSchema>
export type LimitName = keyof LimitsSettings
