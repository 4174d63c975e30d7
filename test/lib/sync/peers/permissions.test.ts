import t, { type Test } from 'tap'
import { mock } from 'node:test'
import { RelayError } from '../../../../lib/errors.ts'
import { newDocumentId, type DocumentId } from '../../../../lib/ids.ts'
import type { PeerConnection } from '../../../../lib/sync/peers/connection.ts'
import { ALL_RIGHTS, type Rights } from '../../../../lib/sync/peers/grant.ts'
import { Permissions } from '../../../../lib/sync/peers/permissions.ts'

const settled = async (): Promise<void> => { for (let n = 0; n < 20; n++) await Promise.resolve() }

/** Permissions of one peer, whose rights are asked of a function; and what has happened. */
function permissions (t: Test, rights: (id: DocumentId) => Rights | Promise<Rights>, most = Infinity) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const seen = {
    unclear: [] as DocumentId[], used: [] as DocumentId[], refused: [] as string[], sent: [] as unknown[], held: 0
  }
  const peer = {
    open: true,
    grant: { rights },
    hold: (bytes: number) => {
      if (seen.held > 0 && seen.held + bytes > most) throw new RelayError('RELAY_PEER_SLOW', 'too much')
      seen.held += bytes
      return () => { seen.held -= bytes }
    },
    send: (frame: unknown) => { seen.sent.push(frame) },
    deny () {},
    refuse: (error: RelayError) => { seen.refused.push(error.code) }
  }
  const connection = peer as unknown as PeerConnection
  const admit = (id: DocumentId, bytes?: number): void => {
    permissions.admit(connection, id, () => { seen.used.push(id) }, bytes)
  }
  const permissions: Permissions = new Permissions({
    unclear: (peer, id) => {
      seen.unclear.push(id)
      permissions.withhold(peer, id, false)
    },
    again: (_peer, id) => { admit(id) }
  })
  t.teardown(() => { permissions.close() })
  return { permissions, connection, peer, seen, admit }
}

const [a, b] = [newDocumentId(), newDocumentId()]

t.test('what cannot be found out is the document’s trouble, and asked again', async t => {
  let isBroken = true
  const { permissions: one, connection, seen, admit } = permissions(t, async id => {
    if (isBroken && id === b) throw new Error('the database is away')
    return ALL_RIGHTS
  })
  for (const id of [a, b]) admit(id)
  await settled()
  t.strictSame([seen.used, seen.unclear, seen.refused], [[a], [b], []])
  t.strictSame(seen.sent, [{ type: 'doc-unavailable', documentId: b }])
  mock.timers.tick(5_000)
  await settled()
  t.strictSame([seen.used, seen.unclear], [[a], [b, b]], 'and again, as long as it takes')
  isBroken = false
  mock.timers.tick(5_000)
  await settled()
  t.strictSame([seen.used, seen.refused], [[a, b], []])
  t.strictSame([...one.drainWithheld(connection)], [])
  mock.timers.tick(60_000)
  await settled()
  t.equal(seen.used.length, 2)
})

t.test('what may still not be read is kept for the next time', async t => {
  const { permissions: one, connection, seen } = permissions(t, async () => ALL_RIGHTS)
  one.withhold(connection, a, false)
  t.strictSame([...one.drainWithheld(connection)], [a])
  one.remember(connection, a)
  t.strictSame([...one.drainWithheld(connection)], [a])
  t.strictSame([...one.drainWithheld(connection)], [])
  t.equal(seen.sent.length, 1, 'and not told twice')
})

t.test('who is gone is not asked about again', async t => {
  const { permissions: one, connection, peer, seen, admit } = permissions(t, async () => { throw new Error('away') })
  admit(b)
  await settled()
  t.strictSame([...one.drainWithheld(connection)], [b])
  peer.open = false
  mock.timers.tick(5_000)
  await settled()
  t.strictSame(seen.unclear, [b])
})

t.test('what waits for an answer is counted, and bounded', async t => {
  const { seen, admit } = permissions(t, () => new Promise(() => {}), 100)
  admit(a, 60)
  t.throws(() => { admit(a, 60) }, { code: 'RELAY_PEER_SLOW' })
  t.equal(seen.held, 60)
  admit(a) // of no message
})

t.test('what was sent is its peer’s fault', async t => {
  const { permissions: one, connection, seen, admit } = permissions(t, async () => ALL_RIGHTS)
  admit(a, 60)
  await settled()
  t.strictSame([seen.used, seen.held], [[a], 0])
  one.admit(connection, a, () => { throw new RelayError('RELAY_SYNC_INVALID', 'nonsense') }, 60)
  await settled()
  t.strictSame([seen.refused, seen.held], [['RELAY_SYNC_INVALID'], 0])
})
