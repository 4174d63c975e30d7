/** Upper bounds of a call's time, in s */
export const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** What is counted of one task or event: cheap to add to, read only when somebody asks. */
export class Tally {
  inFlight = 0
  /** Calls by what came of them: `ok` or an error's code */
  readonly results = new Map<string, number>()
  /** Calls per bucket, each in the first that holds it; the last is for longer ones */
  readonly buckets = new Array<number>(BUCKETS.length + 1).fill(0)
  /** s */
  total = 0

  add (result: string, seconds: number): void {
    this.results.set(result, (this.results.get(result) ?? 0) + 1)
    let bucket = 0
    while (bucket < BUCKETS.length && seconds > BUCKETS[bucket]!) bucket++
    this.buckets[bucket]!++
    this.total += seconds
  }
}
