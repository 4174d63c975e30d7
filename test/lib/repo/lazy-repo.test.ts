import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl, type DocHandle } from '@automerge/automerge-repo'
import { RelayError } from '../../../lib/errors.ts'
import { LazyRepo } from '../../../lib/repo/lazy-repo.ts'
import type { Connection, SyncEngine, Transport } from '../../../lib/sync/engine.ts'
import { client, idOf, serve, until } from '../sync/server.ts'

interface Doc extends Record<string, unknown> { n: number, text?: string }

// automerge-repo writes there what it cannot throw; that it sets timers of less than nothing, newer versions of Node
// say
for (const name of ['log', 'warn', 'error'] as const) {
  t.intercept(console, name, {
    value: (...words: unknown[]) => {
      const text = words.map(String).join(' ')
      if (!text.includes('TimeoutNegativeWarning')) t.fail(`console.${name}: ${text}`)
    }
  })
}

async function start (
  t: Test, { closeTimeout = 30_000, ...options }: Parameters<typeof serve>[1] & { closeTimeout?: number } = {}
) {
  const server = await serve(t, options)
  const logged: string[] = []
  const connections: Connection[] = []
  const link = { cut: false }
  const engine: Pick<SyncEngine, 'connect'> = {
    connect: (transport: Transport) => {
      const connection = server.engine.connect(transport)
      connections.push(connection)
      return {
        key: connection.key,
        peerId: connection.peerId,
        followed: connection.followed,
        receive: frame => { if (!link.cut) connection.receive(frame) },
        unfollow: id => { connection.unfollow(id) },
        refuse: error => { connection.refuse(error) },
        closed: () => { connection.closed() }
      }
    }
  }
  const log = (_fields: object, message: string): void => { logged.push(message) }
  const lazy = new LazyRepo({
    engine, log: { debug: log, info: log, warn: log, error: log }, closeTimeout, retryInterval: 20
  })
  t.teardown(async () => { await lazy.close() }) // before the engine
  const stored = async (handle: DocHandle<Doc>): Promise<Doc | undefined> => {
    const saved = await server.engine.snapshot(idOf(handle))
    return saved === null ? undefined : { ...Automerge.load<Doc>(saved) }
  }
  return { ...server, lazy, logged, connections, link, stored }
}

t.test('with peers', async t => {
  const { lazy, engine, url, stored, logged, connections } = await start(t)
  const { repo } = client(t, url)
  const ourHandles: DocHandle<Doc>[] = []

  await t.test('nothing is there before it is asked for, then one peer', async t => {
    t.strictSame(engine.stats(), { connections: 0, peers: 0, documents: 0 })
    t.equal(lazy.repo, lazy.repo)
    t.equal(lazy.repo.storageSubsystem, undefined)
    await lazy.repo.networkSubsystem.whenReady()
    await repo.networkSubsystem.whenReady()
    t.strictSame(engine.stats(), { connections: 2, peers: 2, documents: 0 })
  })

  await t.test('what it creates is stored once flushed, and found by peers', async t => {
    const ours = lazy.repo.create<Doc>({ n: 1 })
    ourHandles.push(ours)
    await lazy.repo.flush([ours.documentId])
    t.strictSame(await stored(ours), { n: 1 })
    for (let n = 2; n <= 5; n++) {
      ours.change(doc => { doc.n = n })
      await lazy.repo.flush()
      t.strictSame(await stored(ours), { n })
    }
    t.strictSame((await repo.find<Doc>(ours.url)).doc(), { n: 5 })
  })

  await t.test('what peers have is found, and edits are seen live both ways', async t => {
    const theirs = repo.create<Doc>({ n: 1 })
    await until(async () => await stored(theirs) !== undefined)
    const ours = await lazy.repo.find<Doc>(theirs.url)
    t.strictSame(ours.doc(), { n: 1 })
    theirs.change(doc => { doc.n = 2 })
    await until(() => ours.doc().n === 2)
    ours.change(doc => { doc.text = 'from the server' })
    await until(() => theirs.doc().text === 'from the server')
    ourHandles.push(ours)
  })

  await t.test('flush is about the changes before it, also while others edit', async t => {
    const ours = lazy.repo.create<Doc>({ n: 0 })
    ourHandles.push(ours)
    await lazy.repo.flush()
    const theirs = await repo.find<Doc>(ours.url)
    const editing = setInterval(() => { theirs.change(doc => { doc.n++ }) }, 1)
    for (let n = 0; n < 5; n++) {
      ours.change(doc => { doc.text = `version ${n}` })
      await lazy.repo.flush([ours.documentId])
      t.equal((await stored(ours))!.text, `version ${n}`)
    }
    clearInterval(editing)
  })

  await t.test('a document that is nowhere is unavailable, and there when it comes', async t => {
    const nowhere = generateAutomergeUrl()
    const { documentId } = parseAutomergeUrl(nowhere)
    await t.rejects(lazy.repo.find(nowhere), /unavailable/)
    await lazy.repo.flush([documentId])
    repo.import<Doc>(Automerge.save(Automerge.from<Doc>({ n: 1 })), { docId: documentId })
    await until(() => lazy.repo.handles[documentId]!.isReady())
    const ours = await lazy.repo.find<Doc>(nowhere)
    t.strictSame(ours.doc(), { n: 1 })
    ourHandles.push(ours)
  })

  await t.test('only documents that its user asked for are opened', async t => {
    const theirs = repo.create<Doc>({ n: 1 })
    await until(async () => await stored(theirs) !== undefined)
    const other = await client(t, url).repo.find<Doc>(theirs.url)
    other.change(doc => { doc.n = 2 })
    await until(() => theirs.doc().n === 2)
    t.strictSame(Object.keys(lazy.repo.handles).sort(), ourHandles.map(({ documentId }) => documentId).sort())
  })

  await t.test('ephemeral messages both ways; those that are not plain are kept out', async t => {
    const ours = ourHandles[0]!
    const theirs = await repo.find<Doc>(ours.url)
    const here: unknown[] = []
    const there: unknown[] = []
    ours.on('ephemeral-message', ({ message }) => { here.push(message) })
    theirs.on('ephemeral-message', ({ message }) => { there.push(message) })
    theirs.broadcast(new Date())
    theirs.broadcast({ cursor: 7 })
    ours.broadcast({ cursor: 8 })
    await until(() => here.length > 0 && there.length > 0)
    t.strictSame([here, there], [[{ cursor: 7 }], [{ cursor: 8 }]])
    t.strictSame(logged, ['ephemeral message dropped: not plain CBOR'])
  })

  await t.test('when the engine closes its connection that is told, and it comes again', async t => {
    const ours = ourHandles[0]!
    ours.change(doc => { doc.n = 20 })
    const flushed = lazy.repo.flush()
    connections[0]!.refuse(new RelayError('RELAY_STORAGE_FAILED', 'changes cannot be stored'))
    const message = 'The storage cannot be used at the moment' // what is wrong with it is in the relay's log
    await t.rejects(flushed, { code: 'RELAY_STORAGE_FAILED', message })
    t.match(logged.at(-1), `disconnected: ${message}`)
    await until(() => connections.length === 2)
    await lazy.repo.flush()
    t.strictSame(await stored(ours), { n: 20 })
  })
})

t.test('released', async t => {
  const { lazy, engine, url, stored } = await start(t, { idleTimeout: 50 })
  const { repo } = lazy

  await t.test('a document leaves its memory and the engine’s, whoever edits it, and can be found again', async t => {
    const ours = repo.create<Doc>({ n: 0 })
    await repo.flush()
    const other = client(t, url)
    const theirs = await other.repo.find<Doc>(ours.url)
    for (let n = 1; n <= 3; n++) theirs.change(doc => { doc.n = n })
    ours.change(doc => { doc.text = 'kept' })
    await repo.removeFromCache(ours.documentId)
    t.strictSame(repo.handles, {})
    await until(() => theirs.doc().text === 'kept')
    theirs.change(doc => { doc.n = 10 })
    await until(async () => (await stored(ours))!.n === 10)
    t.strictSame(repo.handles, {}, 'an edit does not bring it back')
    other.adapter.disconnect()
    await until(() => engine.stats().documents === 0)
    const again = await repo.find<Doc>(ours.url)
    t.strictSame(again.doc(), { n: 10, text: 'kept' })
    await repo.removeFromCache(again.documentId)
  })

  await t.test('what was not found as well; deleting is only that', async t => {
    const nowhere = generateAutomergeUrl()
    const { documentId } = parseAutomergeUrl(nowhere)
    await t.rejects(repo.find(nowhere), /unavailable/)
    await repo.removeFromCache(documentId)
    await repo.removeFromCache(documentId)
    const ours = repo.create<Doc>({ n: 1 })
    await repo.flush()
    repo.delete(ours.documentId)
    t.strictSame(repo.handles, {})
    await until(() => engine.stats().documents === 0)
    t.strictSame((await repo.find<Doc>(ours.url)).doc(), { n: 1 })
  })
})

t.test('changes made just before it closes are stored; then it is over, and leaves no timer', async t => {
  const { lazy, engine, logged, stored, close } = await start(t)
  const { repo } = lazy
  const ours = repo.create<Doc>({ n: 1 })
  await repo.flush()
  ours.change(doc => { doc.n = 2 })
  await lazy.close()
  t.strictSame(await stored(ours), { n: 2 })
  t.strictSame(engine.stats().connections, 0)
  t.strictSame(logged, [])
  t.throws(() => lazy.repo, { code: 'RELAY_CLOSING' })
  await t.rejects(repo.find(generateAutomergeUrl()), /unavailable/)
  await repo.shutdown()
  await close()
  const pending = (): boolean => process.getActiveResourcesInfo().includes('Timeout')
  const since = performance.now()
  await until(() => !pending() || performance.now() - since > 30_000) // automerge-repo's own wait for a minute
  t.notOk(pending())
})

t.test('shutting it down stores, and disconnects', async t => {
  const { lazy, engine, stored } = await start(t)
  const ours = lazy.repo.create<Doc>({ n: 1 })
  await lazy.repo.shutdown()
  t.strictSame(await stored(ours), { n: 1 })
  t.equal(engine.stats().connections, 0)
})

t.test('closing does not wait for ever for changes to be stored, and says so', async t => {
  const { lazy, link, logged, engine } = await start(t, { closeTimeout: 50 })
  lazy.repo.create<Doc>({ n: 1 })
  await lazy.repo.flush()
  link.cut = true
  lazy.repo.create<Doc>({ n: 1 })
  const finding = lazy.repo.find(generateAutomergeUrl())
  await Promise.all([t.rejects(finding, /unavailable/), lazy.close()])
  t.strictSame(logged, ['the repo of this process is closed before all its changes are stored'])
  t.equal(engine.stats().connections, 0)
})

t.test('a repo that is first asked for while the engine closes finds nothing', async t => {
  const { lazy, engine, connections } = await start(t)
  engine.disconnect()
  await t.rejects(lazy.repo.find(generateAutomergeUrl()), /unavailable/)
  t.equal(connections.length, 1, 'and does not try again')
})
