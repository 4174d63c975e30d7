import { createRequire } from 'node:module'
import path from 'node:path'
import t from 'tap'
import { mutePeer, run, urlIn } from './executable.ts'

const cli = createRequire(import.meta.url).resolve('fastify-cli/cli.js')
const config = path.join(import.meta.dirname, '../../dist/fastify.config.js')
const { scripts } = createRequire(import.meta.url)('../../package.json')

const fastify = (...argv: string[]): [string[], { program: string, readyLine: string }] =>
  [[cli, ...argv], { program: process.execPath, readyLine: 'Server listening' }]

t.test('`npm run start:fastify` serves the relay and ends well, whoever is connected', async t => {
  const [, ...flags] = scripts['start:fastify'].split(' ').slice(0, -1)
  const [argv, program] = fastify(...flags, '-a', '127.0.0.1', config)
  // fastify-cli takes no port 0 from its flag, and from PORT it does
  const running = run(t, argv, { ...program, env: { PORT: '0', RELAY_MAX_UPLOAD: '1000', RELAY_STORAGE: 'documents' } })
  const url = urlIn(await running.ready())

  t.match(await (await fetch(url)).text(), /Tonk/)
  t.equal((await fetch(`${url}/API/blank-tonk/`)).status, 200, 'with our server options')
  t.equal(
    (await fetch(`${url}/api/bundles`, { method: 'POST', body: Buffer.alloc(1001) })).status, 413, 'and the environment'
  )
  await mutePeer(t, url)

  running.child.kill('SIGTERM')
  t.match(await running.exit, { code: 0, stderr: '' })
})

t.test('an option after `--` that is misspelt stops the start', async t => {
  const [argv, program] = fastify('start', '-o', config, '--', '--jwt-key', 'keys.json')
  t.match(await run(t, argv, { ...program, env: { PORT: '0' } }).exit, {
    code: 1, stderr: /option jwtKey: unknown name, did you mean jwtKeys\?/
  })
})

t.test('a configuration of one’s own hands the relay what the server is made with, too', async t => {
  const cwd = t.testdir({
    'package.json': '{ "type": "module" }',
    'own.js': `export { default } from ${JSON.stringify(path.join(import.meta.dirname, '../../dist/app.js'))}
      export const options = {
        requestTimeout: 60_000, trustProxy: ['loopback'], skipOverride: true, storage: 'documents'
      }`
  })
  const [argv, program] = fastify('start', '-o', '-l', 'info', '-a', '127.0.0.1', '-x', '/sync', 'own.js')
  const running = run(t, argv, { ...program, cwd, env: { PORT: '0' } })
  const url = urlIn(await running.ready())
  t.equal((await fetch(`${url}/health/live`)).status, 200, 'skipOverride: no prefix')
})

t.test('`npm run plugins` shows what the relay is made of', async t => {
  const [argv, program] = fastify('print-plugins', config)
  t.match(await run(t, argv, program).exit, {
    code: 0, stdout: /@fastify\/helmet [^]*relay-limits [^]*relay-sync [^]*relay-websocket [^]*relay-routes-sync /
  })
})

t.test('`npm run routes` shows what it answers', async t => {
  const [argv, program] = fastify('print-routes', config)
  t.match(await run(t, argv, program).exit, { code: 0, stdout: /openapi\.json \(GET, HEAD/ })
})
