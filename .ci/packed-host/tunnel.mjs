// The tunnel by itself, as a host gets it.
import assert from 'node:assert/strict'
import { createTunnelServer } from 'fastify-automerge-relay/tunnel'

const server = createTunnelServer({ port: 0, tokens: ['secret'] })
server.registerTask('app.add', async ({ a, b }) => a + b)
const url = await server.listen()
const answer = await fetch(`${url}/__runner/task/app.add`, {
  method: 'POST', headers: { 'x-runner-token': 'secret' }, body: '{"input":{"a":1,"b":2}}'
})
assert.deepEqual(await answer.json(), { ok: true, result: 3 })
await server.close()
console.log('packed-package: a tunnel answered')
