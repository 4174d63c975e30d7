#!/usr/bin/env node
import { once } from 'node:events'
import { createServer } from 'node:net'
import { inspect } from 'node:util'
import closeWithGrace from 'close-with-grace'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { helpText, parseArguments } from '../lib/cli/arguments.ts'
import { settle, type Values } from '../lib/cli/settings.ts'
import { verbs } from '../lib/cli/verbs.ts'
import type { Task } from '../lib/concern.ts'
import { RelayError, messageOf } from '../lib/errors.ts'
import { version } from '../lib/version.ts'

const GRACE = 8_000 // ms for a close once peers are closed, within the 10 s that Docker gives

let logLevel = 'info'
let closing = false

try {
  await run(process.argv.slice(2))
} catch (error) {
  if (!closing) fail(error) // a signal during the start makes the start fail
}

function fail (error: unknown): never {
  const text = logLevel === 'debug' || logLevel === 'trace'
    ? inspect(error)
    : messageOf(error).replace(/\s*\n\s*/g, ' ')
  process.stderr.write(`tonk-relay: ${text}\n`)
  process.exit(1)
}

async function run (argv: string[]): Promise<void> {
  const command = parseArguments(argv)
  if (command.name === 'help') process.stdout.write(helpText())
  else if (command.name === 'version') process.stdout.write(`${version}\n`)
  else if (command.name === 'start') await start(command.flags)
  else process.exitCode = await work(command.task, command.flags)
}

/** Does something else than start a relay; returns the exit code. */
async function work (task: Task, flags: Values): Promise<number> {
  const [{ environment }, perform] = await Promise.all([import('../fastify.config.ts'), verbs[task.verb]!.load()])
  return await perform(task, settle(environment, flags).relay, text => { process.stdout.write(text) })
}

async function start (flags: Values): Promise<void> {
  // throws what is wrong in the environment
  const { default: relay, environment, serverOptions } = await import('../fastify.config.ts')
  const { server: { port, host, ...server }, relay: options } = settle(environment, flags)
  logLevel = server.logLevel
  await probe(port, host)

  const app = Fastify(serverOptions(server))
  const delay = GRACE + (options.drainDelay ?? 0) + (options.drainWindow ?? 0)
  closeWithGrace({ delay, logger: app.log }, async ({ signal, err }) => {
    closing = true
    if (err !== undefined) app.log.fatal(err, 'closing after an error nobody caught')
    else app.log.info(`closing on ${signal}`)
    // before the close, in which Fastify answers no request any more: readiness is to be seen failing
    if (err === undefined && app.hasDecorator('sockets')) await app.sockets.drain()
    await app.close()
  })
  process.removeAllListeners('warning') // Node's own writes several lines to stderr
  process.on('warning', warning => app.log.warn(warning))
  app.register(fp(relay), options)
  await app.ready()
  if (closing) return
  app.storage.lost.then(async () => {
    closing = true
    await app.close().catch(error => { app.log.error(error, 'not closed as it should be') })
    process.exit(1) // whoever starts it again sees whether the folder is to be had
  })
  await app.listen({
    port,
    host,
    listenTextResolver: url =>
      `Tonk relay ready at ${url} (WebSocket ${url.replace('http', 'ws')}), documents in ${app.storage.folder}`
  })
}

/** Tells that the address cannot be had before anything is opened or written. */
async function probe (port: number, host: string): Promise<void> {
  const server = createServer()
  try {
    await once(server.listen(port, host), 'listening')
  } catch (cause) {
    throw new RelayError('RELAY_BAD_OPTION', `cannot listen on ${host} port ${port}: ${messageOf(cause)}`, { cause })
  }
  await once(server.close(), 'close')
}
