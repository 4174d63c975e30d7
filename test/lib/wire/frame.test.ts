import t from 'tap'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { decodeCbor, type CborMap } from '../../../lib/wire/cbor-decode.ts'
import { decodeFrame, encodeFrame } from '../../../lib/wire/frame.ts'
import type { DocumentId } from '../../../lib/ids.ts'

const documentId = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ' as DocumentId
const data = new Uint8Array([1, 2])
const decode = (frame: CborMap) => decodeFrame(encodeCbor(frame))

t.test('every frame of the protocol', async t => {
  const senderId = 'peer'
  t.strictSame(decode({
    type: 'join', senderId, peerMetadata: { storageId: '../../x' }, supportedProtocolVersions: ['1', {}, '2']
  }), {
    type: 'join', senderId, versions: ['1', '2']
  })
  t.strictSame(
    decode({ type: 'join', senderId, metadata: {} }),
    { type: 'join', senderId, versions: ['1'] },
    'clients that negotiate nothing'
  )
  for (const type of ['sync', 'request'] as const) {
    const frame = decode({ type, senderId, targetId: 'x', documentId, data, extra: 1 })
    t.match(frame, { type, senderId, documentId })
    t.strictSame('data' in frame && [...frame.data], [1, 2])
  }
  t.strictSame(decode({ type: 'doc-unavailable', senderId, documentId }), {
    type: 'doc-unavailable', senderId, documentId
  })
  t.match(decode({ type: 'ephemeral', senderId, documentId, data, sessionId: 's', count: 3 }), {
    sessionId: 's', count: 3
  })
  for (const type of ['leave', 'error', 'remote-subscription-change', 'remote-heads-changed'] as const) {
    t.strictSame(decode({ type, senderId, add: ['../../x'], newHeads: {} }), { type, senderId })
  }
})

t.test('what we send reads back', async t => {
  const frame = { type: 'ephemeral', senderId: 'a', targetId: 'b', documentId, data, sessionId: 's', count: 1 } as const
  t.match(decodeCbor(encodeFrame(frame)), { ...frame, data: Buffer.from(data) })
})

t.test('anything else is refused with the right code', async t => {
  const sync: CborMap = { type: 'sync', senderId: 'peer', documentId, data }
  for (const [frame, code] of [
    [null, 'RELAY_FRAME_INVALID'], [7, 'RELAY_FRAME_INVALID'], [[sync], 'RELAY_FRAME_INVALID'],
    [data, 'RELAY_FRAME_INVALID'], [{}, 'RELAY_FRAME_INVALID'],
    [{ ...sync, senderId: 7 }, 'RELAY_FRAME_INVALID'], [{ ...sync, senderId: '' }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, senderId: 'x'.repeat(257) }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, data: 'text' }, 'RELAY_FRAME_INVALID'], [{ ...sync, data: new Uint8Array(0) }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, data: undefined }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, documentId: '../../evil' }, 'RELAY_ID_INVALID'],
    [{ ...sync, documentId: undefined }, 'RELAY_ID_INVALID'],
    [{ ...sync, documentId: [documentId] }, 'RELAY_ID_INVALID'],
    [{ ...sync, type: 'ephemeral', count: 1 }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, type: 'ephemeral', sessionId: 's', count: -1 }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, type: 'ephemeral', sessionId: 's', count: 1.5 }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, type: 'doc-unavailable', documentId: 'x' }, 'RELAY_ID_INVALID'],
    [{ type: 'join', senderId: 'p', supportedProtocolVersions: 'x' }, 'RELAY_FRAME_INVALID'],
    [{ type: 'join', senderId: 'p', supportedProtocolVersions: new Array(17).fill('1') }, 'RELAY_FRAME_INVALID'],
    [{ ...sync, type: 'peer' }, 'RELAY_FRAME_UNEXPECTED'], [{ ...sync, type: undefined }, 'RELAY_FRAME_UNEXPECTED'],
    [{ ...sync, type: { toString: 'x' } }, 'RELAY_FRAME_UNEXPECTED'],
    [{ ...sync, type: '__proto__' }, 'RELAY_FRAME_UNEXPECTED']
  ] as const) t.throws(() => decodeFrame(encodeCbor(frame as CborMap)), { code }, JSON.stringify(frame))
  t.throws(() => decodeFrame(new Uint8Array([0xff])), { code: 'RELAY_FRAME_INVALID' })
})
