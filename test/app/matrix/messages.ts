import * as Automerge from '@automerge/automerge'
import type { PeerFrame } from '../../../lib/wire/frame.ts'
import type { RawPeer } from '../interop/raw-peer.ts'

/** A message of a principal’s about a document, and who else is there. */
export interface Scene {
  peer: RawPeer
  id: string
  /** An administrator that has asked for the document */
  other: RawPeer
  /** Tokens of the principal’s, and of somebody else’s */
  token: string
  foreign: string
}

/** What a principal may do with the document, and whether there is one: from the one table. */
export interface Rights { read: boolean, write: boolean, create: boolean, exists: boolean }

export interface MessageRow {
  /** Sends it, and says what came of it. */
  send (scene: Scene): Promise<unknown>
  /** What the table says should come of it. */
  expected (rights: Rights): unknown
}

const isTold = ({ read, exists }: Rights): string => read && exists ? 'told' : 'unavailable'

/** Whether the peer is told of the document; by then what it sent before has been seen to. */
const asked = async ({ peer, id }: Scene): Promise<string> => (await peer.heads(id)).length > 0 ? 'told' : 'unavailable'

/** A message that has no effect of its own. */
const without = (send: (scene: Scene) => void): MessageRow => ({
  send: async scene => {
    send(scene)
    return await asked(scene)
  },
  expected: isTold
})

let sessions = 0

const ephemeral = (from: RawPeer, id: string): string => {
  const sessionId = `session-${++sessions}`
  from.send({ type: 'ephemeral', documentId: id, data: new Uint8Array([1]), sessionId, count: 1 })
  return sessionId
}

const hears = (peer: RawPeer, sessionId: string): boolean =>
  peer.heard.some(frame => frame.type === 'ephemeral' && frame['sessionId'] === sessionId)

/** Every message that a peer may send. */
export const MESSAGES = {
  join: {
    send: async ({ peer }) => {
      peer.send({ type: 'join', peerMetadata: {}, supportedProtocolVersions: ['1'] })
      return (await peer.next('peer')).type
    },
    expected: () => 'peer'
  },
  request: { send: asked, expected: isTold },
  sync: {
    send: async ({ peer, id, other }) => {
      const change = Automerge.getLastLocalChange(Automerge.from({ [peer.id]: 1 }))!
      const { hash } = Automerge.decodeChange(change)
      peer.send({ type: 'access' }) // it is told what is not taken
      await peer.next('access')
      peer.sync(id, { heads: [hash], changes: [change] })
      let outcome: string | undefined
      while (outcome === undefined) {
        const { type, data, code } = await peer.next('access', 'sync')
        if (type === 'access') outcome = String(code)
        else if (Automerge.decodeSyncMessage(data!).heads.includes(hash)) outcome = 'taken'
      }
      return [outcome, (await other.heads(id)).includes(hash) ? 'stored' : 'not stored']
    },
    expected: ({ read, write, create, exists }) =>
      read && (exists ? write : create) ? ['taken', 'stored'] : ['RELAY_ACCESS_DENIED', 'not stored']
  },
  ephemeral: {
    send: async scene => {
      const { peer, other, id } = scene
      const asks = await asked(scene)
      const [mine, theirs] = [ephemeral(peer, id), ephemeral(other, id)]
      for (const one of [peer, other, peer]) await one.heads(id)
      return [asks, hears(other, mine), hears(peer, theirs)]
    },
    // nobody has asked for what is not there and got it, so there is nobody to pass it on to but who waits for it
    expected: rights => [isTold(rights), rights.read, rights.read]
  },
  access: {
    send: async ({ peer, token, foreign }) => {
      const answers = []
      for (const shown of [token, foreign, 'nonsense']) {
        peer.send({ type: 'access', token: shown })
        const { code, expires } = await peer.next('access')
        answers.push(code ?? typeof expires)
      }
      return answers
    },
    expected: () => ['number', 'RELAY_ACCESS_DENIED', 'RELAY_UNAUTHENTICATED']
  },
  leave: {
    send: async ({ peer }) => {
      peer.send({ type: 'leave' })
      return await peer.closed
    },
    expected: () => 1000
  },
  'doc-unavailable': without(({ peer, id }) => { peer.send({ type: 'doc-unavailable', documentId: id }) }),
  error: without(({ peer }) => { peer.send({ type: 'error', message: 'something' }) }),
  'remote-subscription-change': without(({ peer }) => {
    peer.send({ type: 'remote-subscription-change', add: ['storage'] })
  }),
  'remote-heads-changed': without(({ peer, id }) => {
    peer.send({ type: 'remote-heads-changed', documentId: id, newHeads: {} })
  })
} satisfies Record<PeerFrame['type'], MessageRow>
