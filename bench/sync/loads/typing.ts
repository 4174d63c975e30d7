import { Meter, credibility, type Figures } from '../meter.ts'
import { Room } from '../room.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { anyServer, type Load } from './load.ts'

const SETTLE = 30_000 // ms for what is on its way at the end
const WINDOW_TIME = 8_000
// ms of the same before anything is measured: what a server compiles in its first seconds is another figure
const WARM_UP = 5_000

interface Typing { clients: number, writers?: number, edits: number, perSecond?: number, window?: number }

/** Typing in one document: by the clock, or as fast as a window of unacknowledged edits allows. */
async function type (
  kind: ServerKind, server: Server, { clients, writers = 1, edits, perSecond, window }: Typing
): Promise<Figures> {
  const warmUp = perSecond === undefined ? edits : WARM_UP / 1000 * perSecond
  const room = await Room.open(kind, server, { clients, writers, edits: edits + warmUp })
  const typeFor = async (edits: number, ms: number): Promise<void> => {
    if (perSecond !== undefined) await room.type(edits, perSecond)
    if (window !== undefined) await room.typeAhead(window, ms)
    await room.settle(SETTLE)
  }
  await typeFor(warmUp, WARM_UP)
  room.reset()
  const before = { sent: room.sent, delivered: room.delivered }
  const meter = new Meter(server, room.wires)
  await typeFor(edits, WINDOW_TIME)
  const use = meter.use()
  const delivered = room.delivered - before.delivered
  return {
    'CPU per delivery, us': use.server / delivered * 1e6,
    'server, cores': use.server / use.seconds,
    'edits/s': (room.sent - before.sent) / use.seconds,
    'deliveries/s': delivered / use.seconds,
    ...room.latencies(),
    'bytes to a client per delivery': use.bytesIn / delivered,
    'deliveries per message': delivered / use.messagesIn,
    ...room.troubles(),
    ...credibility(use)
  }
}

const load = (name: string, title: string, typing: Typing): Load => ({
  name, title, suits: anyServer, run: async (kind, server) => await type(kind, server, typing)
})

export const fanout = load('fanout', '50 peers on one document, one types 200 edits a second', {
  clients: 50, edits: 2000, perSecond: 200
})
export const window1 = load('window-1', '50 peers on one document, one edit in flight', {
  clients: 50, edits: 20_000, window: 1
})
export const window64 = load('window-64', '50 peers on one document, 64 edits in flight', {
  clients: 50, edits: 20_000, window: 64
})
export const mesh = load(
  'mesh',
  '50 peers on one document, 25 of them type 8 edits a second each, not waiting for one another',
  { clients: 50, writers: 25, edits: 2000, perSecond: 200 }
)
export const receivers = load('receivers', '2,000 receivers of one document, 5 edits a second', {
  clients: 2001, edits: 50, perSecond: 5
})
