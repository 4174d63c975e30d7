import * as Automerge from '@automerge/automerge'
import { readDocument } from '../../../lib/automerge/checks/document.ts'
import { RelayError } from '../../../lib/errors.ts'
import { random } from '../../fuzz.ts'
import { Gate, GateError } from './gate.ts'
import { Judge } from './judge.ts'
import type { Case } from './oracle.ts'
import { extend, randomChange, worldOf, type World } from './random-change.ts'
import { randomDocument } from './random-document.ts'

export interface Tally {
  tried: number
  /** And Automerge lives with it. */
  accepted: number
  /** Honest changes, none of which may be refused. */
  honest: number
  refused: Map<string, number>
  failures: { problem: string, one: Case }[]
}

const EACH = 300 // changes for one document
const MAX_LENGTH = 6 // of changes one upon the other

/**
 * Makes documents and changes for them, and asks Automerge about each that the relay would take.
 * @param progress called after each document
 */
export async function fuzzOperations (
  rounds: number, seed: number, judge: Judge, progress: (tally: Tally) => void = () => {}
): Promise<Tally> {
  const below = random(seed)
  const tally: Tally = { tried: 0, accepted: 0, honest: 0, refused: new Map(), failures: [] }
  while (tally.tried < rounds) {
    const doc = randomDocument(below)
    const cases = makeCases(doc, below, tally)
    Automerge.free(doc)
    for (const one of cases) {
      const problem = await judge.judge(one)
      if (problem === undefined) tally.accepted++
      else tally.failures.push({ problem, one })
    }
    progress(tally)
  }
  return tally
}

function makeCases (doc: Automerge.Doc<unknown>, below: (n: number) => number, tally: Tally): Case[] {
  const base = Automerge.save(doc)
  const honest = Automerge.getAllChanges(doc)
  const cases: Case[] = []
  const before = new Gate()
  for (const change of honest) before.add(change)
  const worldBefore = worldOf(doc)
  const { references } = readDocument(base)
  const start = (): [Gate, World] =>
    [before.clone(below(2) === 0 ? references : undefined), structuredClone(worldBefore)]
  let [gate, world] = start()
  let changes: Uint8Array[] = []
  tally.honest += honest.length
  for (let n = 0; n < EACH; n++) {
    tally.tried++
    const change = randomChange(world, below)
    try {
      gate.check(change)
    } catch (error) {
      if (!(error instanceof RelayError || error instanceof GateError)) throw error
      const reason = error.message.replace(/\d+/g, 'n')
      tally.refused.set(reason, (tally.refused.get(reason) ?? 0) + 1)
      continue
    }
    changes = [...changes, change]
    cases.push({ base, changes })
    if (changes.length === MAX_LENGTH || below(2) === 0) {
      [gate, world] = start()
      changes = []
    } else {
      gate.add(change)
      extend(world, change)
    }
  }
  return cases
}
