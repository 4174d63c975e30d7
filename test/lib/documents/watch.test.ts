import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventStream } from '../../../lib/http/event-stream.ts'
import { Watch, type Listener } from '../../../lib/documents/watch.ts'
import { RelayError } from '../../../lib/errors.ts'
import { newDocumentId } from '../../../lib/ids.ts'
import { silent } from '../../../lib/log.ts'
import { until } from '../../client.ts'

type Told = { heads: string[], from?: string[] | undefined } | { end: string }

interface Listening { isReady?: boolean, wantsPatches?: boolean, permits?: () => boolean }

const listener = (told: Told[], options: Listening = {}) => ({
  isReady: options.isReady ?? true,
  wantsPatches: options.wantsPatches ?? true,
  permits: options.permits ?? (() => true),
  changed: (heads: string[], patch?: { from: string[] }) => { told.push({ heads, from: patch?.from }) },
  end: ({ code }: RelayError) => { told.push({ end: code }) }
}) satisfies Listener

/** A document whose heads are a number that is counted up, and what was asked about it. */
function counted () {
  const state = { version: 0, diffs: [] as string[], failure: undefined as RelayError | undefined }
  return Object.assign(state, {
    heads: async () => {
      if (state.failure?.code === 'RELAY_DOCUMENT_DELETED') throw state.failure
      return [`v${state.version}`]
    },
    diff: async (_id: unknown, from: string[], to: string[]) => {
      state.diffs.push(`${from.join()}-${to.join()}`)
      await sleep(5)
      if (state.failure !== undefined) throw state.failure
      return Buffer.from('[]')
    }
  })
}

t.test('many who listen cost one computation, and a busy document one for many changes', async t => {
  const document = counted()
  const watch = new Watch(newDocumentId(), document, silent)
  const told = Array.from({ length: 50 }, (): Told[] => [])
  for (const one of told) watch.add(listener(one), ['v0'])
  for (let n = 0; n < 100; n++) {
    document.version++
    watch.poke()
    await sleep(2)
  }
  await until(() => told.every(one => one.some(event => 'heads' in event && event.heads[0] === 'v100')))
  t.equal(new Set(document.diffs).size, document.diffs.length, 'none twice')
  t.ok(document.diffs.length < 20, `${document.diffs.length} for 100 changes`)
  for (const one of told) {
    let at = 'v0'
    for (const event of one) {
      if (!('heads' in event)) return t.fail('an end')
      t.strictSame(event.from, [at])
      at = event.heads[0]!
    }
    t.equal(at, 'v100')
  }
})

t.test('who is not ready is told later, of everything at once; who wants none gets no patch', async t => {
  const document = counted()
  const watch = new Watch(newDocumentId(), document, silent)
  const [slow, plain]: [Told[], Told[]] = [[], []]
  const slowListener = listener(slow, { isReady: false })
  watch.add(slowListener, ['v0'])
  watch.add(listener(plain, { wantsPatches: false }), ['v0'])
  for (let version = 1; version <= 3; version++) {
    document.version = version
    watch.poke()
    await until(() => plain.length === version)
  }
  t.strictSame(slow, [])
  t.strictSame(document.diffs, [], 'nobody asked for one')
  slowListener.isReady = true
  watch.poke()
  await until(() => slow.length === 1)
  t.strictSame(slow, [{ heads: ['v3'], from: ['v0'] }])
})

t.test('what cannot be compared is told without a patch; the end is told to all', async t => {
  const document = counted()
  const watch = new Watch(newDocumentId(), document, silent)
  const [one, barred]: [Told[], Told[]] = [[], []]
  document.failure = new RelayError('RELAY_DOCUMENT_TOO_LARGE', 'too large')
  document.version = 1
  watch.add(listener(one), ['v0'])
  watch.add(listener(barred, { permits: () => false }), ['v0'])
  const broken: Told[] = []
  watch.add(listener(broken, { permits: () => { throw new Error('the host’s own') } }), ['v0'])
  await until(() => one.length === 1 && barred.length === 1 && broken.length === 1)
  t.strictSame(broken, [{ end: 'RELAY_INTERNAL' }])
  t.strictSame(one, [{ heads: ['v1'], from: undefined }])
  t.strictSame(barred, [{ end: 'RELAY_DOCUMENT_NOT_FOUND' }])
  document.failure = new RelayError('RELAY_DOCUMENT_DELETED', 'deleted')
  watch.poke()
  await until(() => one.length === 2)
  t.strictSame(one[1], { end: 'RELAY_DOCUMENT_DELETED' })
  t.ok(watch.isIdle)
})

t.test('a stream says when it is full, and when it is not any more', async t => {
  const stream = new EventStream()
  t.teardown(() => { stream.destroy() })
  let ready = 0
  stream.onReady = () => { ready++ }
  stream.event('heads', JSON.stringify({ text: 'x'.repeat(300_000) }), 'a.b')
  t.notOk(stream.isReady)
  const text = String(await new Promise(resolve => { stream.once('data', resolve) }))
  t.ok(text.startsWith('event: heads\nid: a.b\ndata: {"text":"x') && text.endsWith('"}\n\n'))
  await until(() => ready === 1)
  t.ok(stream.isReady)
  stream.end('end', '{}')
  stream.event('heads', '{}')
  stream.end('end', '{}')
  await until(() => stream.destroyed)
})
