import { cp, readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import type { PeerId } from '@automerge/automerge-repo'
import type { Action } from '../../lib/access/action.ts'
import { Revocations } from '../../lib/access/revocations.ts'
import { newDocumentId } from '../../lib/ids.ts'
import { connect } from '../client.ts'
import { FIXTURES, client, noFixtures, start, until, urlOf } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { run, urlIn } from './executable.ts'
import { RawPeer } from './interop/raw-peer.ts'
import { SamodPeer, builtPeers } from './samod/peer.ts'

// The relay with peers of samod (Rust), the newest and the oldest that is in the field.

type Doc = Record<string, unknown>

const MiB = 2 ** 20
const READ: Action[] = ['document:read']
const ALL: Action[] = ['document:read', 'document:write', 'document:create']
const built = builtPeers()
const skip = built === '' ? 'no samod peers here' : false

/** Texts that samod put are not to be edited, which shows in the document, and not as JSON. */
const plain = (doc: Doc): Doc => JSON.parse(JSON.stringify(doc)) as Doc

/** Sorted; none when the relay has none. */
async function headsAt (http: string, id: string, token = 'nobody'): Promise<string> {
  const answer = await fetch(`${http}/api/documents/${id}/heads`, { headers: { authorization: `Bearer ${token}` } })
  return answer.ok ? (await answer.json() as { heads: string[] }).heads.join() : ''
}

for (const version of ['0.16', '0.5']) {
  const peer = (t: Test, folder?: string) =>
    new SamodPeer(t, path.join(built, `samod-peer-${version.replace('.', '-')}`), folder)
  const connected = async (t: Test, url: string, folder?: string) => {
    const samod = peer(t, folder)
    await samod.do('connect', { url })
    return samod
  }

  t.test(`samod ${version}`, { skip }, async t => {
    t.test('edits, bursts and presence go both ways', async t => {
      const { ws } = await start(t)
      const samod = await connected(t, ws)
      const { id } = await samod.do('create', { put: { title: 'by samod' } })
      const theirs = await client(t, ws).find<Doc>(urlOf(id))
      // the oldest one brings a document before what is in it
      await until(() => plain(theirs.doc())['title'] === 'by samod')
      theirs.change(doc => { doc['n'] = 1 })
      await samod.do('await', { id, heads: [...Automerge.getHeads(theirs.doc())].sort() })
      const { heads } = await samod.do('put', { id, key: 'burst', value: 'edit', times: 300 })
      await until(() => Automerge.hasHeads(theirs.doc(), heads))
      t.strictSame(plain(theirs.doc()), { title: 'by samod', n: 1, burst: 'edit 299' })
      await samod.do('listen', { id })
      theirs.broadcast({ cursor: 7 })
      await until(() => samod.ephemeral.length > 0)
      const heard: unknown[] = []
      theirs.on('ephemeral-message', ({ message }) => { heard.push(message) })
      await samod.do('broadcast', { id, hex: samod.ephemeral[0]! })
      await until(() => heard.length > 0)
      t.match(heard[0], { cursor: 7 })
    })

    t.test('what both did while they were apart comes together, also over a restart', async t => {
      const first = await start(t)
      const samod = await connected(t, first.ws)
      const { id } = await samod.do('create', { put: { n: 'first' } })
      const repo = client(t, first.ws)
      const ours = await repo.find<Doc>(urlOf(id))
      await samod.do('disconnect')
      await samod.do('put', { id, key: 'samod', value: 'offline' })
      ours.change(doc => { doc['other'] = 'meanwhile' })
      await until(async () => await headsAt(first.http, id) === Automerge.getHeads(ours.doc()).join())
      await first.close()
      const again = await start(t, { storage: first.storage })
      await samod.do('connect', { url: again.ws })
      const reader = await client(t, again.ws).find<Doc>(urlOf(id))
      await until(() => plain(reader.doc())['samod'] === 'offline')
      await samod.do('await', { id, heads: [...Automerge.getHeads(reader.doc())].sort() })
      t.strictSame((await samod.do('read', { id })).value, { n: 'first', samod: 'offline', other: 'meanwhile' })
    })

    t.test('a document that nobody has is not found, and is once somebody brings it', async t => {
      const { ws } = await start(t)
      const samod = await connected(t, ws)
      const id = newDocumentId()
      t.notOk((await samod.do('find', { id })).found)
      client(t, ws).import<Doc>(Automerge.save(Automerge.from<Doc>({ late: true })), { docId: id as never })
      await until(async () => (await samod.do('find', { id })).found)
      t.match((await samod.do('read', { id })).value, { late: true })
    })

    t.test('a folder that samod wrote is opened by the relay, and back', async t => {
      const folder = await scratch(t)
      const writer = peer(t, folder)
      const { id } = await writer.do('create', { put: { by: 'samod' } })
      await writer.do('put', { id, key: 'n', value: 'change', times: 20 })
      await writer.do('stop')
      const { ws, close } = await start(t, { storage: folder })
      const handle = await client(t, ws).find<Doc>(urlOf(id))
      t.strictSame(plain(handle.doc()), { by: 'samod', n: 'change 19' })
      handle.change(doc => { doc['relay'] = 'was here' })
      const samod = await connected(t, ws)
      t.ok((await samod.do('find', { id })).found)
      await samod.do('await', { id, heads: [...Automerge.getHeads(handle.doc())].sort() })
      await close()
      const reader = peer(t, folder)
      t.ok((await reader.do('find', { id })).found)
      t.strictSame((await reader.do('read', { id })).value, { by: 'samod', n: 'change 19', relay: 'was here' })
    })

    t.test('a change larger than a frame may be arrives', async t => {
      const { ws, http } = await start(t)
      const samod = await connected(t, ws)
      const { id } = await samod.do('create', { put: { title: 'large' } })
      const { heads } = await samod.do('noise', { id, bytes: 12 * MiB })
      await until(async () => await headsAt(http, id) === heads.join())
      const theirs = await client(t, ws).find<Doc>(urlOf(id))
      theirs.change(doc => {
        doc['more'] = new Uint8Array(Buffer.alloc(8 * MiB).map((_byte, n) => Math.imul(n, 2654435761) >>> 24))
      })
      const reader = await connected(t, ws)
      t.ok((await reader.do('find', { id })).found)
      await reader.do('await', { id, heads: Automerge.getHeads(theirs.doc()) })
      t.strictSame((await reader.do('read', { id })).heads, Automerge.getHeads(theirs.doc()))
    })

    t.test('a deleted document stays deleted, and its peer stays', async t => {
      const allow = ['document:read', 'document:write', 'document:create', 'document:delete']
      const rules = await scratch(t, {
        'rules.json': JSON.stringify({ rules: [{ principals: ['anonymous'], allow }] })
      })
      const { ws, http } = await start(t, { rules: path.join(rules, 'rules.json') })
      const samod = await connected(t, ws)
      const { id } = await samod.do('create', { put: { gone: 'soon' } })
      const { id: other } = await samod.do('create', { put: { stays: 'yes' } })
      await until(async () => await headsAt(http, id) !== '')
      t.equal((await fetch(`${http}/api/documents/${id}`, { method: 'DELETE' })).status, 204)
      await samod.do('put', { id, key: 'back', value: 'again' })
      const { heads } = await samod.do('put', { id: other, key: 'n', value: 'still synced' })
      await until(async () => await headsAt(http, other) === heads.join())
      t.equal((await fetch(`${http}/api/documents/${id}`)).status, 410)
    })

    t.test('one that may only read gets everything and changes nothing; one that may not read gets ' +
      'nothing', async t => {
      const may = new Map<string, Action[]>([['writer', ALL], ['reader', READ], ['stranger', []]])
      const { ws, http } = await start(t, {
        authenticate: ({ token }) => token === undefined ? null : { id: token },
        authorize: ({ id }, action, resource) => resource.id === undefined || may.get(id)!.includes(action)
      })
      const heads = async (id: string) => await headsAt(http, id, 'writer')
      const writer = await connected(t, `${ws}/?token=writer`)
      const { id } = await writer.do('create', { put: { title: 'guarded' } })
      const { heads: made } = await writer.do('put', { id, key: 'n', value: 'first' })
      await until(async () => await heads(id) === made.join())

      const reader = await connected(t, `${ws}/?token=reader`)
      await until(async () => (await reader.do('find', { id })).found)
      await reader.do('await', { id, heads: made })
      await reader.do('put', { id, key: 'mine', value: 'not taken' })
      const { heads: next } = await writer.do('put', { id, key: 'n', value: 'second' })
      await until(async () => await heads(id) === next.join())
      await until(async () => plain((await reader.do('read', { id })).value)['n'] === 'second')
      t.strictSame((await writer.do('read', { id })).value, { title: 'guarded', n: 'second' })
      const { id: own } = await reader.do('create', { put: { by: 'a reader' } })
      const { heads: third } = await writer.do('put', { id, key: 'n', value: 'third' })
      await until(async () => plain((await reader.do('read', { id })).value)['n'] === 'third')
      t.strictSame([await heads(id), await heads(own)], [third.join(), ''], 'and it stays connected')

      const stranger = await connected(t, `${ws}/?token=stranger`)
      t.notOk((await stranger.do('find', { id })).found)
    })

    t.test('a right that is taken and given back counts on the same connection', async t => {
      const may = new Map<string, Action[]>([['writer', ALL], ['reader', READ]])
      const revocations = new Revocations()
      const { ws, http } = await start(t, {
        revocations,
        authenticate: ({ token }) => token === undefined ? null : { id: token },
        authorize: ({ id }, action, resource) => resource.id === undefined || may.get(id)!.includes(action)
      })
      const writer = await connected(t, `${ws}/?token=writer`)
      const { id, heads: made } = await writer.do('create', { put: { n: 'first' } })
      await until(async () => await headsAt(http, id, 'writer') === made.join())
      const reader = await connected(t, `${ws}/?token=reader`)
      await until(async () => (await reader.do('find', { id })).found)
      await reader.do('await', { id, heads: made })
      may.set('reader', [])
      for (let n = 0; n < 3; n++) revocations.refresh('reader')
      const { heads: hidden } = await writer.do('put', { id, key: 'n', value: 'second' })
      await until(async () => await headsAt(http, id, 'writer') === hidden.join())
      may.set('reader', READ)
      revocations.refresh('reader')
      const { heads } = await writer.do('put', { id, key: 'n', value: 'third' })
      await reader.do('await', { id, heads })
      t.strictSame((await reader.do('read', { id })).value, { n: 'third' })
    })

    t.test('two that claim one peer id both get everything', async t => {
      const { ws } = await start(t)
      const samod = await connected(t, ws)
      const { id } = await samod.do('create', { put: { n: 'first' } })
      const ears = await RawPeer.join(t, ws)
      ears.sync(id, {}, 'request')
      await ears.next('sync')
      await samod.do('broadcast', { id, hex: 'f6' })
      const peerId = (await ears.next('ephemeral'))['senderId'] as PeerId
      const { repo } = connect(t, ws, { peerId })
      const twin = await repo.find<Doc>(urlOf(id))
      await until(() => plain(twin.doc())['n'] === 'first')
      twin.change(doc => { doc['twin'] = 1 })
      await samod.do('await', { id, heads: [...Automerge.getHeads(twin.doc())].sort() })
      const { heads } = await samod.do('put', { id, key: 'n', value: 'edit', times: 50 })
      await until(() => Automerge.hasHeads(twin.doc(), heads))
      t.strictSame(plain(twin.doc()), { n: 'edit 49', twin: 1 })
    })

    t.test('a document that cannot be read costs its peers no other, and is there again when one ' +
      'brings it', async t => {
      const first = await start(t)
      const keeper = await connected(t, first.ws)
      const { id } = await keeper.do('create', { put: { title: 'to be damaged' } })
      const { heads } = await keeper.do('put', { id, key: 'n', value: 'whole' })
      const { id: other } = await keeper.do('create', { put: { title: 'sound' } })
      await until(async () => await headsAt(first.http, id) === heads.join() && await headsAt(first.http, other) !== '')
      await keeper.do('disconnect')
      await first.close()
      const folder = path.join(first.storage, id.slice(0, 2), id.slice(2))
      const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile())
      t.ok(files.length > 0)
      for (const { parentPath, name } of files) await writeFile(path.join(parentPath, name), 'no chunk of Automerge')

      const { ws, http } = await start(t, { storage: first.storage })
      const reader = await connected(t, ws)
      t.notOk((await reader.do('find', { id })).found)
      t.equal((await fetch(`${http}/api/documents/${id}`)).status, 500)
      await until(async () => (await reader.do('find', { id: other })).found)
      await keeper.do('connect', { url: ws })
      await keeper.do('put', { id: other, key: 'n', value: 'still synced' })
      await until(async () => plain((await reader.do('read', { id: other })).value)['n'] === 'still synced')
      await until(async () => await headsAt(http, id) === heads.join())
      await until(async () => (await reader.do('find', { id })).found)
      await reader.do('await', { id, heads })
    })

    t.test('a relay that is killed in the middle of a burst, twice, has all of it in the end', async t => {
      const storage = await scratch(t)
      const samod = peer(t)
      const { id } = await samod.do('create', { put: { n: 'none' } })
      let written = samod.do('find', { id })
      for (let round = 0; round < 2; round++) {
        const relay = run(t, ['0', '--storage', storage])
        const url = urlIn(await relay.ready())
        await samod.do('connect', { url: url.replace('http', 'ws') })
        const before = await headsAt(url, id)
        written = samod.do('put', { id, key: 'n', value: `round ${round}`, times: 200 })
        await until(async () => ![before, ''].includes(await headsAt(url, id)))
        relay.child.kill('SIGKILL')
        await Promise.all([relay.exit, written])
      }
      const { heads } = await written
      const { ws, http } = await start(t, { storage })
      await samod.do('connect', { url: ws })
      await until(async () => await headsAt(http, id) === heads.join())
      const reader = await connected(t, ws)
      await until(async () => (await reader.do('find', { id })).found)
      await reader.do('await', { id, heads })
      t.strictSame((await reader.do('read', { id })).value, { n: 'round 1 199' })
    })

    t.test('a folder that a server of samod has left is served', { skip: noFixtures }, async t => {
      const storage = await scratch(t)
      await cp(`${FIXTURES}/samod-storage`, storage, { recursive: true })
      const { ws, http } = await start(t, { storage })
      const samod = await connected(t, ws)
      let count = 0
      for (const start of (await readdir(`${FIXTURES}/samod-storage`)).filter(name => name !== 'st')) {
        for (const rest of await readdir(`${FIXTURES}/samod-storage/${start}`)) {
          const folder = `${FIXTURES}/samod-storage/${start}/${rest}/incremental`
          const chunks =
            await Promise.all((await readdir(folder)).map(async name => await readFile(`${folder}/${name}`)))
          const [document] = Automerge.applyChanges(Automerge.init<Doc>(), chunks)
          const heads = [...Automerge.getHeads(document)].sort()
          t.equal(await headsAt(http, start + rest), heads.join())
          await until(async () => (await samod.do('find', { id: start + rest })).found)
          await samod.do('await', { id: start + rest, heads })
          t.strictSame((await samod.do('read', { id: start + rest })).value, plain(document))
          count++
        }
      }
      t.equal(count, 3)
    })
  })
}
