import type { DocumentId, Message, PeerId, PeerMetadata } from '@automerge/automerge-repo/slim'

/** What comes from the other end beside automerge-repo's own messages (docs/protocol.md). */
export type OwnFrame =
  | { type: 'peer', senderId: PeerId, peerMetadata: PeerMetadata }
  | { type: 'error', message: string }
  | { type: 'access', documentId?: DocumentId, code?: string, message?: string, expires?: number }

export type Incoming = OwnFrame | Message

type FrameOf<Type> = Extract<OwnFrame, { type: Type }>

export const isFrame = <Type extends OwnFrame['type']>(message: Incoming, type: Type): message is FrameOf<Type> =>
  message.type === type

export const isSync = (message: { type: string, data?: unknown }): message is Message & { data: Uint8Array } =>
  (message.type === 'sync' || message.type === 'request') && message.data instanceof Uint8Array

/** Of a client that reads the relay's own frames; a relay answers with it. */
export const SUBPROTOCOL = 'automerge-relay'

const IS_TOKEN = /^[\w!#$%&'*+.^`|~-]+$/ // what a subprotocol may be made of (RFC 9110 section 5.6.2)

/** The subprotocols to offer. @throws Error for a token that cannot be one */
export function protocolsFor (token: string | undefined): string[] {
  if (token === undefined) return [SUBPROTOCOL]
  if (!IS_TOKEN.test(token)) throw new Error('the token has characters that cannot be sent as a WebSocket subprotocol')
  return [SUBPROTOCOL, `bearer.${token}`]
}
