// A host with routes of its own embeds the relay under a prefix; two clients share a document through it.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import Fastify from 'fastify'
import { createRelay } from 'fastify-automerge-relay'
import { RelayClientAdapter } from 'fastify-automerge-relay/client'

const app = Fastify()
app.get('/', async () => 'the host')
const relay = createRelay()
app.register(relay.plugin, { prefix: '/sync', storage: './embedded' })
const url = await app.listen({ port: 0, host: '127.0.0.1' })

assert.equal(await (await fetch(url)).text(), 'the host')
assert.match(await (await fetch(`${url}/sync`)).text(), /Tonk/)
const blank = await fetch(`${url}/sync/api/blank-tonk`)
assert.equal(blank.status, 200)
await writeFile('blank.tonk', new Uint8Array(await blank.arrayBuffer()))

const socket = `${url.replace('http', 'ws')}/sync`
const adapter = new RelayClientAdapter(socket)
const writer = new Repo({ network: [adapter] })
const reader = new Repo({ network: [new WebSocketClientAdapter(socket)] })
const written = writer.create({ text: 'packed' })
await adapter.saved(written)
const read = await reader.find(written.url)
assert.equal(read.doc().text, 'packed')
read.change(doc => { doc.text = 'and back' })
await new Promise(resolve => { written.on('change', ({ doc }) => { if (doc.text === 'and back') resolve() }) })

const hosts = await relay.repo.find(written.url)
assert.equal(hosts.doc().text, 'and back')
assert.ok(relay.repo instanceof Repo)

await Promise.all([writer.shutdown(), reader.shutdown()])
adapter.disconnect()
await app.close()
console.log('packed-package: embedded, a document synced')
