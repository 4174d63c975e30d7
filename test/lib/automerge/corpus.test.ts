import { readFile } from 'node:fs/promises'
import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { RelayError } from '../../../lib/errors.ts'
import { Gate, GateError } from './gate.ts'
import { Judge } from './judge.ts'

/** Changes Automerge cannot live with: the last of each. All base64; `automerge` is what it said. */
interface Poison { name: string, automerge: string, base: string, changes: string[] }

const corpus = JSON.parse(await readFile(new URL('./corpus/poison.json', import.meta.url), 'utf8')) as Poison[]
const decode = (text: string): Buffer => Buffer.from(text, 'base64')

t.test('poison is refused', async t => {
  for (const { name, automerge, base, changes } of corpus) {
    const gate = new Gate()
    for (const change of Automerge.getAllChanges(Automerge.load(decode(base)))) gate.add(change)
    let refusal: unknown
    for (const change of changes.map(decode)) {
      try {
        gate.add(change)
      } catch (error) {
        refusal = error
        break
      }
    }
    t.ok(refusal instanceof RelayError || refusal instanceof GateError, `${name}: ${refusal} (${automerge})`)
  }
})

t.test('and it is poison', async t => {
  const judge = new Judge()
  t.teardown(() => judge.close())
  for (let n = 0; n < corpus.length; n += 9) { // each takes a process
    const { name, base, changes } = corpus[n]!
    t.type(await judge.judge({ base: decode(base), changes: changes.map(decode) }), 'string', name)
  }
})
