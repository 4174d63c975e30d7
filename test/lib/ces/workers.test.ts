import t from 'tap'
import { segments } from '../../../lib/ces/segments.ts'
import { CesWorkers } from '../../../lib/ces/workers/workers.ts'
import { lcg } from './vectors.ts'

const key = lcg(32)
const id = { seal: lcg(16), number: 0, isLast: true, k: 8, m: 4 }

t.test('segments are made and opened on threads, their bytes moved', async t => {
  const workers = new CesWorkers({ threads: 1 })
  t.teardown(async () => { await workers.close() })
  const plain = lcg(1_000_000)
  const copy = plain.slice()
  const made = await workers.encode(plain, key, id)
  t.equal(plain.length, 0, 'what was given is moved away')
  t.equal(key.length + id.seal.length, 48, 'but not key and seal id')
  const segment = { ...id, ...made }
  const own = made.files.map(file => file.slice())
  const rebuilt = await workers.rebuild(new Map([...own.entries()].slice(4)), segment, [0, 3])
  t.same(Buffer.from(rebuilt.files[1]!), Buffer.from(made.files[3]!))
  t.equal(own[11]!.length, 0, 'files that have a buffer of their own are moved too')
  const opened = await workers.decode(new Map([...made.files.entries()].slice(4)), key, segment)
  t.ok(Buffer.from(opened.plain).equals(copy))
  await t.rejects(workers.decode(new Map(), key, segment), { code: 'RELAY_VAULT_DAMAGED' }, 'an error keeps its code')
  await t.rejects(workers.decode(new Map(), key, segment, AbortSignal.abort()), { name: 'AbortError' })
})

t.test('a stream is cut into segments, the last of which is told', async t => {
  const cut = async (sizes: number[], size: number): Promise<Array<[number, number, boolean]>> => {
    const found: Array<[number, number, boolean]> = []
    for await (const { plain, number, isLast } of segments(sizes.map(lcg), size)) {
      found.push([plain.length, number, isLast])
      t.equal(plain.length, plain.buffer.byteLength, 'each has a buffer of its own')
    }
    return found
  }
  t.strictSame(await cut([], 4), [[0, 0, true]])
  t.strictSame(await cut([0, 3], 4), [[3, 0, true]])
  t.strictSame(await cut([4], 4), [[4, 0, true]])
  t.strictSame(await cut([1, 9, 2], 4), [[4, 0, false], [4, 1, false], [4, 2, true]])
  t.strictSame(await cut([5, 4], 4), [[4, 0, false], [4, 1, false], [1, 2, true]])
})
