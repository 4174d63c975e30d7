import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { decodeSyncMessage, encodeSyncMessage, FLAGS, type SyncMessage } from '../../../lib/wire/sync-message.ts'
import { leb, mutate, random, shortened } from '../../fuzz.ts'
import { sampleMessages } from './sync-messages.ts'

const messages = sampleMessages()
const flagNames = {
  'sync-reset': FLAGS.syncReset, 'read-only': FLAGS.readOnly, 'supports-sync-reset': FLAGS.supportsSyncReset
}

interface TheirMessage extends Automerge.DecodedSyncMessage {
  type: string
  supportedCapabilities?: Array<keyof typeof flagNames>
}

/** The message as Automerge reads it, in our form. */
function theirs (bytes: Uint8Array): SyncMessage {
  const { heads, need, have, changes, type, supportedCapabilities: flags } =
    Automerge.decodeSyncMessage(bytes) as TheirMessage
  const message: SyncMessage = { version: type === 'v2' ? 2 : 1, heads, need, have, changes }
  return flags === undefined ? message : { ...message, flags: flags.reduce((bits, flag) => bits | flagNames[flag], 0) }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** As text, with those flags only that Automerge names. */
const textOf = ({ version, heads, need, have, changes, flags }: SyncMessage): string => JSON.stringify({
  version,
  heads,
  need,
  have: have.map(({ lastSync, bloom }) => [lastSync, hex(bloom)]),
  changes: changes.map(hex),
  flags: flags === undefined ? null : flags & 7
})

function compare (t: Test, bytes: Uint8Array, label = '') {
  t.equal(textOf(decodeSyncMessage(bytes)), textOf(theirs(bytes)), label)
}

const invalid = (problem: RegExp) => ({ code: 'RELAY_SYNC_INVALID', message: problem })

t.test('reads what Automerge reads, and writes it again byte for byte', async t => {
  const kinds: Record<string, (message: SyncMessage) => boolean> = {
    'version 1 with changes': ({ version, changes }) => version === 1 && changes.length > 1,
    'version 2 with a change': ({ version, changes }) => version === 2 && changes[0]?.[8] === 1,
    'version 2 with a document': ({ version, changes }) => version === 2 && changes[0]?.[8] === 0,
    'several heads': ({ heads }) => heads.length > 1,
    'no heads': ({ heads }) => heads.length === 0,
    need: ({ need }) => need.length > 0,
    lastSync: ({ have }) => have[0]!.lastSync.length > 0,
    'a Bloom filter': ({ have }) => have[0]!.bloom.length > 5,
    'no Bloom filter': ({ have }) => have[0]!.bloom.length === 0,
    'no flags': ({ flags }) => flags === undefined
  }
  const decoded = messages.map(decodeSyncMessage)
  for (const [kind, is] of Object.entries(kinds)) t.ok(decoded.some(is), `the sample has ${kind}`)
  for (const [n, bytes] of messages.entries()) {
    compare(t, bytes)
    t.strictSame(Buffer.from(encodeSyncMessage(decoded[n]!)), Buffer.from(bytes))
  }
})

t.test('byte strings are views', async t => {
  const bytes = messages.find(bytes => decodeSyncMessage(bytes).changes.length > 0)!
  const { changes, have } = decodeSyncMessage(bytes)
  t.equal(changes[0]!.buffer, bytes.buffer)
  t.equal(have[0]!.bloom.buffer, bytes.buffer)
})

t.test('writes the steady state as Automerge does', async t => {
  let here = Automerge.change(Automerge.init<Record<string, number>>({ actor: 'aa' }), doc => { doc['a'] = 1 })
  let there = Automerge.init<Record<string, number>>({ actor: 'bb' })
  let hereState = Automerge.initSyncState()
  let thereState = Automerge.initSyncState()
  let message: Uint8Array | null = null
  for (let n = 0; n < 5; n++) {
    [hereState, message] = Automerge.generateSyncMessage(here, hereState)
    if (message !== null) [there, thereState] = Automerge.receiveSyncMessage(there, thereState, message);
    [thereState, message] = Automerge.generateSyncMessage(there, thereState)
    if (message !== null) [here, hereState] = Automerge.receiveSyncMessage(here, hereState, message)
  }
  here = Automerge.change(here, doc => { doc['a'] = 2 })
  const heads = Automerge.getHeads(here)
  const steady: SyncMessage = {
    version: 2,
    heads,
    need: [],
    have: [{ lastSync: heads, bloom: new Uint8Array(0) }],
    changes: [],
    flags: FLAGS.supportsSyncReset
  };

  // what a relay makes of an edit, a real peer applies, and answers with what the relay would answer
  [there, thereState] = Automerge.receiveSyncMessage(there, thereState, encodeSyncMessage({
    ...steady, changes: [Automerge.getLastLocalChange(here)!]
  }))
  t.strictSame(Automerge.getHeads(there), heads);
  [thereState, message] = Automerge.generateSyncMessage(there, thereState)
  t.strictSame(Buffer.from(message!), Buffer.from(encodeSyncMessage(steady)));
  [thereState, message] = Automerge.generateSyncMessage(there, thereState)
  t.equal(message, null)

  const first = Automerge.generateSyncMessage(Automerge.init(), Automerge.initSyncState())[1]!
  t.strictSame(
    Buffer.from(encodeSyncMessage({
      ...steady, version: 1, heads: [], have: [{ lastSync: [], bloom: new Uint8Array(0) }]
    })),
    Buffer.from(first),
    'who has nothing'
  )
})

t.test('writes what Automerge’s own encoder writes', async t => {
  const hashes = ['1', '2', 'a'].map(digit => digit.repeat(64))
  const bloom = Uint8Array.from([1, 10, 7, 255, 255])
  for (const version of [1, 2] as const) {
    for (const flags of [undefined, 0, FLAGS.syncReset, FLAGS.readOnly | FLAGS.supportsSyncReset]) {
      const message: SyncMessage = {
        version,
        heads: hashes,
        need: hashes.slice(1),
        have: [{ lastSync: hashes, bloom }, { lastSync: [], bloom: new Uint8Array(0) }],
        changes: [Buffer.alloc(200, 1), Buffer.alloc(0)]
      }
      if (flags !== undefined) message.flags = flags
      const set = Object.entries(flagNames).filter(([, bit]) => ((flags ?? 0) & bit) !== 0).map(([name]) => name)
      const names = flags === undefined ? {} : { supportedCapabilities: set }
      const bytes = Automerge.encodeSyncMessage(
        { ...message, type: `v${version}`, ...names } as unknown as Automerge.DecodedSyncMessage
      )
      t.strictSame(Buffer.from(encodeSyncMessage(message)), Buffer.from(bytes))
      compare(t, bytes)
    }
  }
  t.throws(() => encodeSyncMessage({ version: 1, heads: ['no hash'], need: [], have: [], changes: [] }), TypeError)
})

t.test('other forms that Automerge takes', async t => {
  const one = [1, 10, 7, 255, 255]
  for (const [label, bytes] of Object.entries({
    'no flags': [0x42, 0, 0, 0, 0],
    'flags of none': [0x42, 0, 0, 0, 0, 0],
    'flags as they were once': [0x43, 0, 0, 0, 0, 2, 1, 2],
    'flags to come': [0x43, 0, 0, 0, 0, 4, 2, 0x81, 0x82, 0xf8],
    'bytes after the flags': [0x43, 0, 0, 0, 0, 1, 2, 9, 9, 9],
    'a filter of nothing with bits': [0x42, 0, 0, 1, 0, 4, 0, 10, 7, 1, 0],
    'bytes after a filter': [0x42, 0, 0, 1, 0, 7, ...one, 9, 9, 0],
    'a filter of other parameters': [0x42, 0, 0, 1, 0, 7, 2, 16, 11, 1, 2, 3, 4, 0],
    'two filters': [0x42, 0, 0, 2, 0, 5, ...one, 0, 5, ...one, 0]
  })) compare(t, Uint8Array.from(bytes), label)
})

t.test('what is not a sync message', async t => {
  for (const [problem, bytes] of [
    [/cut short in its type/, []],
    [/unknown type/, [0x41, 0, 0, 0, 0]],
    [/unknown type/, [0x44, 0, 0, 0, 0]],
    [/cut short in heads/, [0x42]],
    [/cut short in heads/, [0x42, ...leb(2 ** 50)]],
    [/cut short in need/, [0x42, 0, 1, 1]],
    [/cut short in have/, [0x42, 0, 0, 200, 1]],
    [/cut short in lastSync/, [0x42, 0, 0, 1, 1, 0]],
    [/cut short in a Bloom filter/, [0x42, 0, 0, 1, 0, 5, 1]],
    [/cut short in a Bloom filter/, [0x42, 0, 0, 1, 0, 4, 1, 10, 7, 255, 0]],
    [/cut short in a Bloom filter/, [0x42, 0, 0, 1, 0, 13, ...leb(2 ** 32 - 1), ...leb(2 ** 32 - 1), 7, 1, 1, 0]],
    [/a Bloom filter is too large/, [0x42, 0, 0, 1, 0, 7, ...leb(2 ** 32), 1, 1, 0]],
    [/cut short in changes/, [0x42, 0, 0, 0, 2, 0]],
    [/cut short in a change/, [0x42, 0, 0, 0, 1, 5, 1, 2]],
    [/heads is written longer/, [0x42, 0x80, 0, 0, 0, 0]],
    [/cut short in flags/, [0x42, 0, 0, 0, 0, 5, 2]]
  ] as const) {
    t.throws(() => decodeSyncMessage(Uint8Array.from(bytes)), invalid(problem), String(problem))
    t.throws(() => Automerge.decodeSyncMessage(Uint8Array.from(bytes)), String(problem))
  }
})

t.test('what Automerge takes and then fails on', async t => {
  const first = (filter: number[]) => Uint8Array.from([0x42, 0, 0, 1, 0, filter.length, ...filter, 0])
  const answer = (bytes: Uint8Array) => {
    const [doc, state] = Automerge.receiveSyncMessage(Automerge.from({ a: 1 }), Automerge.initSyncState(), bytes)
    return Automerge.generateSyncMessage(doc, state)
  }
  const noBits = first([1, 0, 7])
  t.throws(() => answer(noBits), /divisor of zero/)
  t.throws(() => decodeSyncMessage(noBits), invalid(/a Bloom filter of 0 bits and 7 probes an entry/))
  const probes = first([1, 8, ...leb(2 ** 32 - 1), 1])
  t.throws(() => answer(probes), /capacity overflow/)
  t.throws(() => decodeSyncMessage(probes), invalid(/a Bloom filter of 8 bits and 4294967295 probes an entry/))
  t.throws(
    () => decodeSyncMessage(Uint8Array.from([0x42, 0, 0, 17, ...new Array(34).fill(0), 0])),
    invalid(/more than 16 have/)
  )

  const wrapped = Uint8Array.from([0x42, 0, 0, 0, 1, ...leb(2 ** 32 + 1), 9])
  t.equal(Automerge.decodeSyncMessage(wrapped).changes[0]!.length, 1)
  t.throws(() => decodeSyncMessage(wrapped), invalid(/cut short in a change/))
})

/** How many rounds: `FUZZ_ROUNDS=300000 npx tap ...` for a long run. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 20_000)

/** What is read, as text, or why nothing is. */
function outcome (read: (bytes: Uint8Array) => SyncMessage, bytes: Uint8Array): { text?: string, refusal?: string } {
  try {
    return { text: textOf(read(bytes)) }
  } catch (error) {
    return { refusal: String(error) }
  }
}

t.test('damaged messages are read as Automerge reads them, or refused as it does', async t => {
  const below = random(1)
  const tally = { both: 0, neither: 0, stricter: 0 }
  for (let n = rounds; n > 0; n--) {
    const bytes = mutate(messages[below(messages.length)]!, messages[below(messages.length)]!, below)
    const { text, refusal } = outcome(decodeSyncMessage, bytes)
    const expected = outcome(theirs, bytes).text
    if (text === expected) tally[text === undefined ? 'neither' : 'both']++
    else if (refusal !== undefined && (/probes an entry|more than 16 have/.test(refusal) || shortened(bytes).some(
      less => outcome(decodeSyncMessage, less).text === expected
    ))) {
      tally.stricter++
    } else t.fail(`${refusal ?? 'read otherwise'}: ${hex(bytes)}`)
  }
  t.comment(tally)
  t.ok(tally.both > 0 && tally.neither > 0)
})
