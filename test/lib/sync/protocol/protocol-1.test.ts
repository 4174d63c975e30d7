import t from 'tap'
import type { Hash } from '../../../../lib/automerge/format/hash.ts'
import type { DocumentId } from '../../../../lib/ids.ts'
import { Protocol1 } from '../../../../lib/sync/protocol/protocol-1.ts'
import { PeerConnection, type ConnectionEvents } from '../../../../lib/sync/peers/connection.ts'
import { decodeCbor } from '../../../../lib/wire/cbor-decode.ts'
import { decodeFrame, encodeTarget, type SyncFrame } from '../../../../lib/wire/frame.ts'
import { encodeCbor } from '../../../../lib/wire/cbor-encode.ts'
import { FLAGS, decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../../../../lib/wire/sync-message.ts'

const id = '4NMNnkMhL8jXrdJ9jamS58PAVdXu' as DocumentId
const [first, second] = ['11'.repeat(32), '22'.repeat(32)] as [Hash, Hash]
const protocol = new Protocol1('relay')
const plain: SyncMessage = { version: 1, heads: [first], need: [], have: [], changes: [] }

const frame = (message: SyncMessage, type: SyncFrame['type'] = 'sync'): SyncFrame =>
  ({ type, senderId: 'ann', documentId: id, data: encodeSyncMessage(message) })

/** What is in the frame that a peer gets. */
function written (head: Uint8Array): SyncMessage {
  const read = decodeFrame(Buffer.concat([head, encodeTarget('ann')])) as SyncFrame
  t.match(read, { type: 'sync', senderId: 'relay', documentId: id })
  return decodeSyncMessage(read.data)
}

t.test('what a peer says is read', t => {
  t.match(protocol.read(frame(plain)), {
    isRequest: false, heads: [first], needsChanges: false, hasFlags: false, claims: 0, readsDocuments: false
  })
  t.match(protocol.read(frame(plain, 'request')), { isRequest: true })
  t.match(protocol.read(frame({ ...plain, need: [second] })), { needsChanges: true })
  t.match(protocol.read(frame({ ...plain, flags: FLAGS.supportsSyncReset })), { hasFlags: false, readsDocuments: true })
  for (const flags of [FLAGS.readOnly, FLAGS.syncReset]) {
    t.match(protocol.read(frame({ ...plain, flags })), { hasFlags: true })
  }
  t.throws(() => protocol.read({ ...frame(plain), data: Buffer.of(0) }), { code: 'RELAY_SYNC_INVALID' })
  t.end()
})

t.test('changes are left out of a message, and nothing else', t => {
  const statement = protocol.read(frame({ ...plain, need: [second], changes: [Buffer.from('a change')] }))
  const rest = protocol.withoutChanges(statement)
  t.strictSame([statement.changes.length, rest.changes.length, rest.needsChanges], [1, 0, true])
  t.match(decodeSyncMessage(rest.data), { heads: [first], need: [second], changes: [] })
  t.end()
})

t.test('what a peer is told is written', t => {
  const { supportsSyncReset: supports, syncReset, readOnly } = FLAGS
  const change = Buffer.from('a change')
  t.match(written(protocol.changes(id, [first], [change], false)), {
    version: 1, heads: [first], changes: { length: 1 }, flags: supports
  })
  t.match(written(protocol.changes(id, [first], [], true)), { changes: { length: 0 }, flags: supports | readOnly })
  t.match(written(protocol.document(id, [first], change, false)), { version: 2, changes: { length: 1 } })
  t.equal(written(protocol.request(id, [first], 'changes')).flags, undefined, 'to be sent change by change')
  t.match(written(protocol.request(id, [first], 'whole')), { need: [first], flags: supports })
  t.match(written(protocol.request(id, [first], 'again')), { need: [first], flags: supports | syncReset })
  t.equal(written(protocol.heads(id, [], false)).flags, undefined, 'whoever makes it is to send it change by change')
  t.match(written(protocol.heads(id, [], true)), { flags: supports | readOnly })
  t.match(written(protocol.invitation(id, [first], false)), { heads: [first], flags: supports | syncReset })
  t.end()
})

t.test('a connection speaks the first protocol of the relay that its peer knows', t => {
  const other = Object.assign(new Protocol1('relay'), { version: '2' })
  const nothing = () => {}
  const events = { joined: nothing, gone: nothing } as unknown as ConnectionEvents
  const reports = { received: nothing, sent: nothing, refused: nothing, denied: nothing }
  const limits = { maxBacklog: 1, handshakeTimeout: 1000 }
  const join = (...versions: string[]) => {
    const sent: Uint8Array[] = []
    const transport = { send: ([head]: readonly Uint8Array[]) => { sent.push(head!) }, close: nothing, backlog: 0 }
    const self = { peerId: 'relay', metadata: {}, protocols: [other, protocol] as const }
    const peer = new PeerConnection('one', transport, { self, limits, events, reports })
    peer.receive(encodeCbor({ type: 'join', senderId: 'ann', supportedProtocolVersions: versions }))
    peer.closed()
    return { protocol: peer.protocol, answer: decodeCbor(sent[0]!) }
  }
  t.equal(join('1').protocol, protocol)
  t.match(join('1', '2'), { protocol: other, answer: { type: 'peer', selectedProtocolVersion: '2' } })
  t.match(join('3'), { answer: { type: 'error', message: 'unsupported protocol version' } })
  t.end()
})
