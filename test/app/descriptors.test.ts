import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { executable, run, urlIn } from './executable.ts'
import { until } from '../helper.ts'

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
