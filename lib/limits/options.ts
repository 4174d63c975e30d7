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
  connections: count(10_000, 'WebSocket connections in total'),
  connectionsPerAddress: count(2_000, 'WebSocket connections from one address (IPv6: one /64 network)'),
  connectionsPerPrincipal: count(1_000, 'WebSocket connections of one principal, where access is controlled'),
  idle: millis(600_000, 'Time after which a connection that follows no document and says nothing is closed, in ms'),
  messageRate: count(5_000, 'Messages per second read from one connection'),
  byteRate: count(16 * MiB, 'Bytes per second read from one connection, counted after decompression'),
  ephemeralRate: count(
    500, 'Ephemeral messages per second passed on from one connection; each 4 KiB begun counts as one'
  ),
  documentsPerConnection: count(50_000, 'Documents that one connection may follow'),
  documentSize: count(256 * MiB, 'Largest document that still accepts changes, in bytes as received and stored'),
  documentChanges: count(2_000_000, 'Most changes that a document may have'),
  uploads: count(64, 'Bundles uploaded at the same time, in total'),
  uploadsPerAddress: count(8, 'Bundles uploaded at the same time from one address'),
  bundlesPerPrincipal: count(1_000, 'Bundles that one principal may own, where access is controlled'),
  requestsPerMinute: count(
    6_000, 'HTTP requests and upgrades per minute from one address; health, metrics and the tunnel do not count'
  ),
  eventLoopDelay: millis(
    2_000, 'Mean delay of the event loop over one second above which requests and upgrades are refused, in ms'
  ),
  memory: Type.Optional(Type.Integer({
    minimum: 1, description: 'Resident memory of the process above which requests and upgrades are refused, in bytes'
  })),
  descriptors: Type.Optional(Type.Integer({
    minimum: 1,
    description: 'Open files and sockets of the process above which no connection is accepted, if fewer than ' +
      '`ulimit -n` allows (an eighth of that, 16 to 128, is kept free)'
  }))
}, { additionalProperties: false })

export type LimitsSettings = Static<typeof limitsSchema>
export type LimitName = keyof LimitsSettings
