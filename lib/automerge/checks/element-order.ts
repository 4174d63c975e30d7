import { START_OF_LIST, type Place } from './actor-operations.ts'

/** Elements of a list that were inserted one after another: the first, and where it was. All of one actor. */
export interface Chain { start: number, after: Place }

/** What it takes to compare elements: the chain each is in, and whose actor's id is greater. */
export interface Elements {
  chain (element: Place): Chain
  compareActors (a: number, b: number): number
}

/**
 * Whether an element comes before another in their list. Elements are in the order of a tree: each comes after the one
 * it was inserted after, and of those inserted after the same one the latest comes first, with all that follows it.
 * So from both one goes up to where they part; as long as they are in different chains, from the one whose chain began
 * later, since the other cannot follow anything in it.
 */
export function isBefore (a: Place, b: Place, elements: Elements): boolean {
  let [left, right] = [a, b]
  let [leftBranch, rightBranch]: (Place | undefined)[] = []
  for (;;) {
    const [leftChain, rightChain] =
      [left, right].map(place => place.actor === START_OF_LIST ? undefined : elements.chain(place))
    if (left.actor === right.actor && leftChain?.start === rightChain?.start) break
    if (rightChain === undefined || (leftChain !== undefined &&
        compare({ ...left, counter: leftChain.start }, { ...right, counter: rightChain.start }) > 0)) {
      leftBranch = { actor: left.actor, counter: leftChain!.start }
      left = leftChain!.after
    } else {
      rightBranch = { actor: right.actor, counter: rightChain.start }
      right = rightChain.after
    }
  }
  if (left.counter < right.counter) rightBranch = { actor: right.actor, counter: left.counter + 1 }
  if (left.counter > right.counter) leftBranch = { actor: left.actor, counter: right.counter + 1 }
  if (leftBranch === undefined) return true
  if (rightBranch === undefined) return false
  return compare(leftBranch, rightBranch) > 0

  function compare (one: Place, other: Place): number {
    return one.counter - other.counter || elements.compareActors(one.actor, other.actor)
  }
}
