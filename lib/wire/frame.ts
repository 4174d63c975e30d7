import { RelayError } from '../errors.ts'
import { isDocumentId, type DocumentId } from '../ids.ts'
import { decodeCbor, type Cbor, type CborMap } from './cbor-decode.ts'
import { encodeCbor } from './cbor-encode.ts'

/**
 * The frames of automerge-repo's WebSocket protocol, version "1" (its `messages.ts`): one CBOR map each, told apart by
 * `type`. What a peer sends is checked here once: ids are well-formed, lengths bounded, byte strings are bytes. Unknown
 * keys are ignored, as every implementation does.
 */
export const PROTOCOL_VERSION = '1'

export interface PeerMetadata { storageId?: string | undefined, isEphemeral?: boolean | undefined }

interface OfDocument { senderId: string, documentId: DocumentId }

export interface JoinFrame { type: 'join', senderId: string, versions: string[] }
export interface SyncFrame extends OfDocument { type: 'sync' | 'request', data: Uint8Array }
export interface UnavailableFrame extends OfDocument { type: 'doc-unavailable' }
/** `count` rises for each message of a sender's session; receivers drop what they have seen. */
export interface EphemeralFrame extends OfDocument {
  type: 'ephemeral'
  data: Uint8Array
  sessionId: string
  count: number
}
/** The relay's own: a client that reads such frames shows a new token, or only says that it does. */
export interface AccessFrame { type: 'access', senderId: string, token?: string }
/** `leave`, and what the relay takes but has no use for: gossip about other storages, a client's own error. */
export interface OtherFrame {
  type: 'leave' | 'error' | 'remote-subscription-change' | 'remote-heads-changed'
  senderId: string
}

export type PeerFrame = JoinFrame | SyncFrame | UnavailableFrame | EphemeralFrame | AccessFrame | OtherFrame
export type FrameType = PeerFrame['type'] | 'peer'

/** The relay's own: when a token expires, or what was refused. */
interface AccessNotice {
  expires?: number | undefined
  documentId?: DocumentId | undefined
  code?: string
  message?: string
}

export type RelayFrame =
  | { type: 'peer', senderId: string, targetId: string, peerMetadata: PeerMetadata, selectedProtocolVersion: string }
  | { type: 'error', senderId: string, targetId: string, message: string }
  | { type: 'access', senderId: string, targetId: string } & AccessNotice
  | (SyncFrame | UnavailableFrame | EphemeralFrame) & { targetId: string }

/** What the relay says of a document, to whom it may concern. */
export type OutgoingFrame =
  | { type: 'sync', documentId: DocumentId, data: Uint8Array }
  | { type: 'doc-unavailable', documentId: DocumentId }
  | EphemeralFrame

const MAX_ID_LENGTH = 256
const MAX_VERSIONS = 16
const MAX_TOKEN_LENGTH = 16_384

const invalid = (problem: string): RelayError =>
  new RelayError('RELAY_FRAME_INVALID', `not a frame of the protocol: ${problem}`)

/**
 * Reads and checks one frame from a peer.
 * @throws RelayError RELAY_FRAME_INVALID, RELAY_ID_INVALID, RELAY_FRAME_UNEXPECTED (a type that no peer sends)
 */
export function decodeFrame (bytes: Uint8Array): PeerFrame {
  const frame = decodeCbor(bytes)
  if (frame === null || typeof frame !== 'object' || Array.isArray(frame) || frame instanceof Uint8Array) {
    throw invalid('not a map')
  }
  const senderId = text(frame, 'senderId')
  const { type } = frame
  switch (type) {
    case 'join':
      return { type, senderId, versions: versions(frame['supportedProtocolVersions']) }
    case 'sync':
    case 'request':
      return { type, senderId, documentId: documentId(frame), data: data(frame) }
    case 'doc-unavailable':
      return { type, senderId, documentId: documentId(frame) }
    case 'ephemeral':
      return {
        type,
        senderId,
        documentId: documentId(frame),
        data: data(frame),
        sessionId: text(frame, 'sessionId'),
        count: count(frame)
      }
    case 'access':
      return { type, senderId, ...token(frame) }
    case 'leave':
    case 'error':
    case 'remote-subscription-change':
    case 'remote-heads-changed':
      return { type, senderId }
    default:
      throw new RelayError(
        'RELAY_FRAME_UNEXPECTED',
        `a frame of type ${typeof type === 'string' ? JSON.stringify(type.slice(0, 40)) : typeof type}`
      )
  }
}

/** A frame of the relay as bytes. */
export const encodeFrame = (frame: RelayFrame): Uint8Array => encodeCbor(frame as unknown as CborMap)

/**
 * A frame of the relay without its end, which names the target and differs from peer to peer: `Buffer.concat([head,
 * encodeTarget(peerId)])` is the whole frame.
 */
export function encodeFrameHead (frame: { senderId: string } & OutgoingFrame): Uint8Array {
  const head = encodeCbor(frame as unknown as CborMap)
  head[0]!++ // one more entry than are there; the map is a small one
  return head
}

export const encodeTarget = (targetId: string): Uint8Array => encodeCbor({ targetId }).subarray(1)

function text (frame: CborMap, key: string): string {
  const value = frame[key]
  if (typeof value !== 'string' || value === '' || value.length > MAX_ID_LENGTH) {
    throw invalid(`${key} must be text of 1 to ${MAX_ID_LENGTH} characters`)
  }
  return value
}

function documentId (frame: CborMap): DocumentId {
  const { documentId: id } = frame
  if (!isDocumentId(id)) throw new RelayError('RELAY_ID_INVALID', 'documentId is not a document id')
  return id
}

function data (frame: CborMap): Uint8Array {
  const { data: bytes } = frame
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) throw invalid('data must be a byte string')
  return bytes
}

function token (frame: CborMap): { token?: string } {
  const { token: text } = frame
  if (text === undefined || text === null) return {}
  if (typeof text !== 'string' || text.length > MAX_TOKEN_LENGTH) {
    throw invalid(`token must be text of at most ${MAX_TOKEN_LENGTH} characters`)
  }
  return { token: text }
}

function count (frame: CborMap): number {
  const { count: value } = frame
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalid('count must be a whole number')
  }
  return value
}

/** Clients older than the negotiation send none and speak version 1. */
function versions (value: Cbor): string[] {
  if (value === undefined || value === null) return [PROTOCOL_VERSION]
  if (!Array.isArray(value) || value.length > MAX_VERSIONS) {
    throw invalid('supportedProtocolVersions must be a short list')
  }
  return value.filter(version => typeof version === 'string')
}
