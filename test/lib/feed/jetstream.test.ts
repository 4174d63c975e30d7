import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { FIXTURES } from '../../helper.ts'
import { Jetstream } from './jetstream.ts'
import { happen, until } from './network.ts'

// The server that the feed's tests run against, judged by what the real one answered.

interface Transcript {
  name: string
  path: string
  headers?: Record<string, string>
  offerDeflate?: boolean
  send?: unknown
  frames: Array<string | { base64: string }>
  refused?: { status: number, type: string, body: string }
  upgrade?: { status: number, extensions?: string }
  close?: { code: number, reason: string }
  timedOut?: boolean
}

interface Heard {
  frames: string[]
  binary: number
  refused?: { status: number, type: string, body: string }
  extensions?: string
  close?: { code: number, reason: string }
}

/** Has the conversation with a server. */
async function converse (
  t: Test, server: Jetstream, { path, headers = {}, offerDeflate = false, send, close }: Transcript
): Promise<Heard> {
  const heard: Heard = { frames: [], binary: 0 }
  const socket = new WebSocket(server.url + path, { headers, perMessageDeflate: offerDeflate })
  t.teardown(() => { socket.terminate() })
  socket.on('error', () => {})
  socket.on('message', (data, isBinary) => { isBinary ? heard.binary++ : heard.frames.push(String(data)) })
  socket.on('close', (code, reason) => { heard.close = { code, reason: String(reason) } })
  let isOpen = false
  socket.on('open', () => { isOpen = true })
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    response.on('data', text => { body += String(text) }).on('end', () => {
      heard.refused = { status: response.statusCode!, type: response.headers['content-type']!, body }
    })
  })
  await until(() => isOpen || heard.refused !== undefined)
  if (heard.refused !== undefined) return heard
  heard.extensions = socket.extensions
  if (send !== undefined) socket.send(typeof send === 'string' ? send : JSON.stringify(send))
  if (close !== undefined) await until(() => heard.close !== undefined)
  else {
    const pong = new Promise(resolve => { socket.once('pong', resolve) })
    socket.ping()
    await pong
    for (let n = 0; n < 30; n++) happen(server)
    const again = new Promise(resolve => { socket.once('pong', resolve) })
    socket.ping()
    await again
  }
  return heard
}

const folder = `${FIXTURES}/feed`
const skip = existsSync(folder) ? false : `no ${folder} here`

t.test('it answers as the real one did', { skip }, async t => {
  const transcripts = readFileSync(`${folder}/v1-transcripts.jsonl`, 'utf8').trim().split('\n')
    .map(line => JSON.parse(line) as Transcript)
  t.ok(transcripts.length >= 20)
  for (const transcript of transcripts) {
    const server = await Jetstream.start({ compress: text => Buffer.from(text) })
    t.teardown(async () => { await server.close() })
    for (let n = 0; n < 30; n++) happen(server)
    const heard = await converse(t, server, transcript)
    const { name, refused, close, frames, upgrade, timedOut } = transcript
    t.strictSame(heard.refused, refused, `${name}: refused alike`)
    if (close !== undefined) t.strictSame(heard.close, close, `${name}: closed alike`)
    if (refused !== undefined || close !== undefined) continue
    t.equal(heard.extensions, upgrade?.extensions ?? '', `${name}: extensions alike`)
    if (timedOut === true) t.equal(heard.frames.length, 0, `${name}: nothing before hello`)
    const texts = frames.filter(frame => typeof frame === 'string')
    t.equal(heard.binary > 0, frames.length > texts.length, `${name}: binary alike`)
    const keys = (text: string): string[] => Object.keys(JSON.parse(text))
    const kinds = new Set(texts.map(text => String(JSON.parse(text).kind)))
    for (const text of heard.frames) {
      const expected = texts.find(other => JSON.parse(other).kind === JSON.parse(text).kind)
      if (expected !== undefined) t.strictSame(keys(text), keys(expected), `${name}: members alike`)
    }
    const collections = new Set(texts.map(text => JSON.parse(text).commit?.collection).filter(Boolean))
    if (/wantedCollections|send/.test(transcript.path) && collections.size === 1) {
      t.ok(
        heard.frames.every(text => [undefined, ...collections].includes(JSON.parse(text).commit?.collection)),
        `${name}: only what was asked for`
      )
    }
    if (texts.length > 0) t.ok(heard.frames.length > 0 && kinds.size > 0, `${name}: events came`)
  }
})

t.test('v2 refuses what v1 takes, and takes no message', async t => {
  const server = await Jetstream.start({
    dictionary: { id: 5, bytes: Buffer.from('d') }, compress: text => Buffer.from(text)
  })
  t.teardown(async () => { await server.close() })
  for (let n = 0; n < 10; n++) happen(server)
  server.forget(5)
  const path = '/xrpc/network.bsky.jetstream.subscribeEvents'
  const ask = async (query: string, rest: Partial<Transcript> = {}): Promise<Heard> =>
    await converse(t, server, { name: query, path: path + query, frames: [], ...rest })
  for (const [query, error] of [
    ['?wantedDids=did:plc:a', 'InvalidRequest'], ['?wantedCollections=a.b.c', 'InvalidRequest'],
    ['?requireHello=true', 'InvalidRequest'], ['?compress=true', 'InvalidRequest'],
    ['?kinds=post', 'InvalidRequest'], ['?kinds=account&collections=a.b.c', 'InvalidRequest'],
    ['?cursor=abc', 'InvalidRequest'], ['?cursor=-1', 'InvalidRequest'],
    ['?cursor=2', 'CursorTooOld'], ['?zstdDictionary=6', 'UnknownZstdDictionary'],
    ['?zstdDictionary=x', 'InvalidRequest'], ['?dids=nobody', 'InvalidRequest']
  ]) {
    const { refused } = await ask(query!)
    t.match(refused, { status: 400, type: 'application/json' }, query!)
    t.equal(JSON.parse(refused!.body).error, error, query!)
  }
  t.strictSame(
    await ask('', { send: 'hello', close: { code: 1008, reason: '' } }).then(({ close }) => close?.code), 1008
  )
  const { frames } = await ask('?cursor=7')
  t.equal(JSON.parse(frames[0]!).payload.seq, 7, 'a sequence number is inclusive')
  t.equal(
    (await ask('?cursor=1000000000000001')).frames[0]!.includes('OutdatedCursor'),
    true,
    'a time is raised to the floor, and that is told'
  )
  t.equal(
    JSON.parse((await ask('?cursor=999999', {})).frames[0]!).payload.seq > 10,
    true,
    'a number of the future is from now on'
  )
  t.ok((await ask('?zstdDictionary=5')).binary > 0)
})
