import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'

// The worked example of docs/tunnel.md as it stands there, in one program: what it offers, and both ways to call it.
// Only the names of packages and the port are others.

const TUNNEL = path.join(import.meta.dirname, '../../tunnel.ts')

const RUN = `
const add = r.task('app.add').run(async (_input: { a: number, b: number }): Promise<number> => {
  throw new Error('ran in the app itself')
}).build()
const viewed = r.event<{ sku: string }>('app.viewed').build()
const running = await run(r.resource('app').register([add, viewed, remote]).build(), {
  logs: { printThreshold: null }, shutdownHooks: false, errorBoundary: false
})
const called = await running.runTask(add, { a: 20, b: 22 })
const refused = await client.task('app.add', { a: 'x' }).catch((error: { code: string }) => error.code)
const none = await client.task('app.order', { sku: 'none' })
  .catch((error: { id: string, httpCode: number }) => [error.id, error.httpCode])
const order = await client.task('app.order', { sku: 'x' })
console.log(JSON.stringify({
  added: await client.task('app.add', { a: 1, b: 2 }),
  called,
  refused,
  none,
  order: { ...order, at: order.at instanceof Date }
}))
process.exit()
`

t.test('the example offers, is called, and is called by a Runner app', async t => {
  const page = await readFile('docs/tunnel.md', 'utf8')
  const [offering, calling, remote] = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!)
  const program = [offering, calling, remote].join('\n')
    .replace("'fastify-automerge-relay/tunnel'", JSON.stringify(TUNNEL))
    .replace(
      /import (\{.*\}) from '@bluelibs\/runner'/,
      "import { createRequire } from 'node:module'\nconst { createHttpClient, Serializer, r, globals, run } = " +
        "createRequire(import.meta.url)('runner-5.5.0/node')"
    )
    .replace('port: 3000', 'port: 0')
    // eslint-disable-next-line no-template-curly-in-string
    .replaceAll("'http://127.0.0.1:3000/__runner'", '`${app.listeningOrigin}/__runner`')
  const file = path.join(t.testdir(), 'example.ts')
  await writeFile(file, program + RUN)
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    env: { ...process.env, TUNNEL_TOKEN: 'secret' }, stdio: ['ignore', 'pipe', 'inherit']
  })
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  t.strictSame(JSON.parse(output.trim().split('\n').at(-1)!), {
    added: 3, called: 42, refused: 'INVALID_INPUT', none: ['app.errors.outOfStock', 409], order: { sku: 'x', at: true }
  })
})
