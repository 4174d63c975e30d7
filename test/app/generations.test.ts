import t from 'tap'
import { isDeepStrictEqual } from 'node:util'
import { start, until } from '../helper.ts'
import { generations, type Opened } from './interop/generations.ts'
import { atRelay } from './interop/raw-peer.ts'

if (Object.keys(generations).length < 3) t.comment('Node 22 would run the newest clients too')

const relay = await start(t)

const idOf = ({ url }: Opened): string => url.replace('automerge:', '')

for (const [ours, makeOurs] of Object.entries(generations)) {
  for (const [theirs, makeTheirs] of Object.entries(generations)) {
    t.test(`automerge-repo ${ours} makes a document that ${theirs} finds, and both go on`, async t => {
      const { ws } = relay
      const maker = makeOurs(t, ws).create({ made: ours })
      await atRelay(t, ws, idOf(maker))
      const finder = await makeTheirs(t, ws).find(maker.url)
      t.strictSame(finder.read(), { made: ours })
      for (let n = 0; n < 5; n++) {
        maker.change({ [`ours ${n}`]: n, both: 1 }) // not a text: Automerge 2.2 shows two that conflict as one
        finder.change({ [`theirs ${n}`]: n, both: 2 })
      }
      const all = 1 + 5 + 5 + 1
      await until(() => Object.keys(maker.read()).length === all && isDeepStrictEqual(maker.read(), finder.read()))

      const heard: unknown[] = []
      finder.onMessage(message => { heard.push(message) })
      await until(() => {
        maker.broadcast({ from: ours })
        return heard.length > 0
      })
      t.strictSame(heard[0], { from: ours })
    })
  }
}

t.test('a document of every generation is there for every generation after a restart', async t => {
  const first = await start(t)
  const urls: string[] = []
  for (const [version, make] of Object.entries(generations)) {
    const document = make(t, first.ws).create({ version })
    await atRelay(t, first.ws, idOf(document))
    urls.push(document.url)
  }
  await first.close()
  const second = await start(t, { storage: first.storage })
  for (const make of Object.values(generations)) {
    const client = make(t, second.ws)
    for (const [n, url] of urls.entries()) {
      t.strictSame((await client.find(url)).read(), { version: Object.keys(generations)[n] })
    }
  }
})
