import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { parseArguments } from '../../../lib/cli/arguments.ts'
import { perform } from '../../../lib/feed/command.ts'
import { start, until } from '../../helper.ts'
import { scratch } from '../../scratch.ts'
import { Jetstream } from './jetstream.ts'
import { happen } from './network.ts'

/** What `tonk-relay feed …` prints, and its exit code. */
async function feed (words: string[], relay: object = {}): Promise<{ code: number, text: string }> {
  const command = parseArguments(['feed', ...words])
  if (command.name !== 'work') throw new Error('not a verb')
  let text = ''
  return { code: await perform(command.task, relay, some => { text += some }), text }
}

t.test('a feed is looked after from the command line', async t => {
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  const storage = await scratch(t)
  const archive = await scratch(t)
  const numbers: number[] = []
  const sink = {
    name: 'own',
    required: false,
    async write (batch: any) {
      numbers.push(...batch.map(({ number }: any) => number))
      return []
    },
    stats: () => ({}),
    async close () {}
  }
  const relay = await start(t, {
    storage, feed: { hosts: server.url, hydrate: false, archiveFolder: archive, sinks: [sink] }
  })
  const at = ['--url', relay.http]
  const status = async () => JSON.parse((await feed(['status', ...at])).text)
  await until(async () => (await status()).source.state === 'connected')
  for (let n = 0; n < 20; n++) happen(server)
  await until(async () => (await status()).records.last === 20)
  t.match(JSON.parse((await feed(['seal', ...at, '--json'])).text), { files: 1 })
  await until(async () => (await status()).archive.stored === 1)

  await until(() => numbers.length === 20)
  t.match(JSON.parse((await feed(['replay', 'own', '15', ...at])).text), { sink: 'own', after: 15 })
  await until(() => numbers.length === 25)
  t.strictSame(numbers.slice(20), [16, 17, 18, 19, 20])
  await t.rejects(feed(['replay', 'none', '0', ...at]), { message: /404.*no sink none/ })
  await t.rejects(feed(['replay', 'own', '21', ...at]), { message: /400.*at most 20/ })

  server.garble('nonsense')
  await until(async () => JSON.parse((await feed(['dead', ...at])).text).deadLetters.length === 1)
  const [{ id }] = JSON.parse((await feed(['dead', ...at])).text).deadLetters
  t.match(JSON.parse((await feed(['dead', 'retry', id, ...at])).text), { done: false, problem: 'it is no event' })
  t.strictSame(await feed(['dead', 'drop', id, ...at]), { code: 0, text: '{}\n' })

  const given = { storage, feed: { archiveFolder: archive } }
  t.strictSame(await feed(['verify'], given), {
    code: 0,
    text: 'records: 1 files, 20 records, 1 to 20, nothing is ' +
    'missing\narchive: 1 files, 20 records, 1 to 20, nothing is missing\n'
  })
  const names = await readdir(path.join(archive, 'feed'))
  await rm(path.join(archive, 'feed', names.find(name => name.endsWith('.gz'))!))
  t.match(await feed(['verify'], given), { code: 2, text: /archive: .*\n {2}feed_.*is gone/ })
  t.match(await feed(['verify', '--json'], { storage: await scratch(t) }), { code: 0, text: /^{"records":{"files":0/ })
})

t.test('what is wrong with a command line is said', async t => {
  for (const words of [
    ['nothing'], ['dead', 'retry'], ['replay', 'own'], ['status', 'now'], ['verify', 'now'], ['verify', '--repair']
  ]) {
    await t.rejects(feed(words), { code: 'RELAY_BAD_OPTION' }, words.join(' '))
  }
  await t.rejects(feed(['status', '--url', 'http://127.0.0.1:1']), {
    code: 'RELAY_NOT_READY', message: /no relay answers at http:\/\/127\.0\.0\.1:1: /
  })
})
