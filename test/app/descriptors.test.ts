import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { executable, run, urlIn } from './executable.ts'
import { client, until } from '../helper.ts'
import { noPrlimit } from '../lib/storage/disk.ts'
import { scratch } from '../scratch.ts'

const isWindows = process.platform === 'win32'

/** Runs the executable, or another program, with so many file descriptors. */
const limited = (t: Test, most: number, argv: string[]) =>
  run(t, ['-c', `ulimit -n ${most} && exec ${JSON.stringify(process.execPath)} "$@"`, 'sh', ...argv], { program: 'sh' })

/** The status and body of a request; on the agent's own connection. */
async function ask (
  agent: Agent,
  url: string,
  { method = 'GET', headers = {}, body = '' }: { method?: string, headers?: Record<string, string>, body?: string } = {}
) {
  return await new Promise<{ status: number, body: string }>((resolve, reject) => {
    request(url, { agent, method, headers }, response => {
      text(response).then(body => { resolve({ status: response.statusCode!, body }) }, reject)
    }).on('error', reject).end(body)
  })
}

const document = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }

function agentOf (t: Test): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => { agent.destroy() })
  return agent
}

t.test('silent connections take the descriptors of nobody else', { skip: isWindows && 'no such limit' }, async t => {
  const relay = limited(t, 160, [executable, '0'])
  const url = urlIn(await relay.ready())
  const agent = agentOf(t)
  const figures = async () => (await ask(agent, `${url}/metrics`, { headers: { accept: 'text/plain' } })).body
  const figure = async (name: string) =>
    Number((await figures()).split('\n').find(line => line.startsWith(`${name} `))?.split(' ').at(-1))
  const isMet = async () => await figure('relay_limits_met_total{limit="descriptors"}') > 0
  await until(async () => (await ask(agent, `${url}/health/ready`)).status === 200)
  t.equal((await ask(agent, `${url}/api/documents`, document)).status, 201)

  let closed = 0
  const silent: Socket[] = []
  for (let n = 0; n < 230; n++) {
    silent.push(connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {}).on('close', () => { closed++ }))
  }
  await until(() => closed >= 90)
  t.ok(await isMet())
  t.equal((await ask(agent, `${url}/api/documents`, document)).status, 201, 'a document is stored meanwhile')
  t.equal((await ask(agent, `${url}/health/ready`)).status, 200)
  t.ok(await figure('relay_sockets') <= 140 && await figure('relay_sockets_max') <= 140)
  t.ok(await figure('process_open_fds') < 155, 'some are free')

  for (const socket of silent) socket.destroy()
  await until(async () => await figure('relay_sockets') === 1)
  t.equal((await ask(agentOf(t), `${url}/api/documents`, document)).status, 201, 'new connections are taken')
  relay.child.kill()
  const { code, stdout } = await relay.exit
  t.equal(code, 0)
  t.equal(stdout.split('\n').filter(line => line.includes('"source":"connections"')).length, 1, 'told once a minute')
})

t.test('with no descriptor left housekeeping goes on, and nothing is taken for damaged', {
  skip: noPrlimit
}, async t => {
  const rules = (...actions: string[]) => JSON.stringify({ rules: [{ principals: ['anonymous'], allow: actions }] })
  const READ = ['document:read', 'document:write', 'metrics:read', 'bundle:create']
  const folder = await scratch(t, {
    rules: rules(...READ, 'document:create'),
    webhooks: JSON.stringify([{ url: 'http://127.0.0.1:9/', secret: 'long enough for a secret' }])
  })
  const relay = run(t, ['0', '--rules', `${folder}/rules`, '--webhook-file', `${folder}/webhooks`, '--dashboard'])
  let log = ''
  relay.child.stdout!.on('data', data => { log += data })
  const url = urlIn(await relay.ready())
  const agent = agentOf(t)
  const get = async (path: string, headers = {}) => await ask(agent, url + path, { headers })
  const figure = async (name: string) => {
    const { body } = await get('/metrics', { accept: 'text/plain' })
    return Number(body.split('\n').find(line => line.startsWith(`${name} `))?.split(' ').at(-1))
  }
  const { id } = JSON.parse((await ask(agent, `${url}/api/documents`, document)).body)
  const repo = client(t, url.replace('http', 'ws'))
  const handle = repo.create<{ n: number }>({ n: 0 })
  await until(async () => (await get(`/api/documents/${handle.documentId}/heads`)).status === 200)

  const limit = (most: string): void => { spawnSync('prlimit', ['--pid', String(relay.child.pid), `--nofile=${most}`]) }
  const { stdout } = spawnSync('prlimit', [
    '--pid', String(relay.child.pid), '--nofile', '--raw', '--noheadings', '--output', 'SOFT,HARD'
  ])
  const [soft, hard] = String(stdout).trim().split(/\s+/)
  limit(`1:${hard}`)

  handle.change(doc => { doc.n = 1 })
  await writeFile(`${folder}/rules`, rules(...READ))
  await until(() => /rules: .*EMFILE/.test(log))
  await until(async () => await figure('relay_sockets_max') === 1) // what is open has been counted
  t.equal((await get('/health/live')).status, 200)
  t.match((await get('/health/ready')).status, /^(200|503)$/)
  t.match(JSON.parse((await get('/metrics')).body), { memory: { rss: Number } })
  t.ok(await figure('process_open_fds') > 0)
  t.match(await get(`/api/documents/${id as string}`), { status: 503, body: /RELAY_STORAGE_FAILED/ })
  t.match(await ask(agent, `${url}/api/bundles`, {
    method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: 'x'
  }), {
    status: 503
  })
  t.match((await get('/dashboard', { host: 'localhost' })).status, /^(200|401|403)$/)

  limit(`${soft}:${hard}`)
  // the rules have been read again
  await until(async () => (await ask(agent, `${url}/api/documents`, document)).status === 403)
  await until(async () => (await get(`/api/documents/${id as string}`)).status === 200)
  await until(async () => (await get(`/api/documents/${handle.documentId}`)).body === '{"n":1}') // its peer has stayed
  await until(async () => (await get('/health/ready')).status === 200)
  relay.child.kill()
  const { code, stderr } = await relay.exit
  t.strictSame([code, stderr], [0, ''])
})
