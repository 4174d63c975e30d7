import { createHash } from 'node:crypto'
import { RelayError } from '../errors.ts'

/** What placement knows of a place. `free`: bytes that may be stored. */
export interface Candidate {
  readonly id: string
  readonly domain: string
  readonly free: number
}

export interface PlacementOptions {
  /** What the choice is made by: the object's seal id and the number of the segment */
  seed: string
  k: number
  m: number
  /** How many domains may be lost at once */
  survive: number
  /** Bytes of a shard */
  size: number
  /** Indexes that are to be placed */
  wanted: readonly number[]
  /** Domains of the shards that are there already */
  held?: readonly string[]
  /** Ids of the places of those */
  holders?: readonly string[]
  candidates: readonly Candidate[]
}

/** The most shards of a segment that one domain may have, so that no `survive` of them have more than m. */
export const mostInDomain = (m: number, survive: number): number => Math.floor(m / survive)

/** Whether a segment whose shards lie in these domains outlives the loss of any `survive` of them. */
export function isKept (
  domains: readonly string[],
  { k, m, survive }: { k: number; m: number; survive: number }
): boolean {
  const counts = [...countsOf(domains).values()].sort((a, b) => b - a)
  const lost = counts.slice(0, survive).reduce((sum, count) => sum + count, 0)
  return domains.length - lost >= k && lost <= m
}

/**
 * Where shards go: spread over domains, then over places, and where that leaves a choice by rendezvous hashing, in
 * which more free room wins more often. Put, repair and check all ask here.
 * @returns the place of each of `wanted`
 * @throws RelayError RELAY_VAULT_UNHAPPY that says what is missing
 */
export function place ({
  seed,
  k,
  m,
  survive,
  size,
  wanted,
  held = [],
  holders = [],
  candidates
}: PlacementOptions): string[] {
  const most = mostInDomain(m, survive)
  const inDomain = countsOf(held)
  const inPlace = countsOf(holders)
  const placed: string[] = []
  for (const index of wanted) {
    const open = candidates.filter(
      ({ id, domain, free }) =>
        (inDomain.get(domain) ?? 0) < most && free >= size * (1 + placed.filter(other => other === id).length)
    )
    const ranked = open
      .map(candidate => ({
        candidate,
        domains: inDomain.get(candidate.domain) ?? 0,
        places: inPlace.get(candidate.id) ?? 0,
        score: scoreOf(`${seed}:${index}:${candidate.id}`, candidate.free)
      }))
      .sort((a, b) => a.domains - b.domains || a.places - b.places || b.score - a.score)
    const best = ranked[0]?.candidate
    if (best === undefined) throw unhappy({ k, m, survive, candidates, size, most })
    placed.push(best.id)
    inDomain.set(best.domain, (inDomain.get(best.domain) ?? 0) + 1)
    inPlace.set(best.id, (inPlace.get(best.id) ?? 0) + 1)
  }
  return placed
}

/** Weighted rendezvous hashing: -weight / ln(h), h between 0 and 1 (Schindelhauer and Schomaker, SPAA 2005). */
function scoreOf (text: string, weight: number): number {
  const hash = createHash('sha256').update(text).digest().readUIntBE(0, 6)
  return -weight / Math.log((hash + 0.5) / 2 ** 48)
}

function unhappy ({
  k,
  m,
  survive,
  candidates,
  size,
  most
}: {
  k: number
  m: number
  survive: number
  candidates: readonly Candidate[]
  size: number
  most: number
}): RelayError {
  const domains = new Set(candidates.filter(({ free }) => free >= size).map(({ domain }) => domain))
  const found = `${domains.size}: ${[...domains].join(', ') || 'none'}`
  const needed = most === 0 ? Infinity : Math.ceil((k + m) / most)
  const what =
    most === 0
      ? `${k}+${m} cannot outlive the loss of ${survive} domains, whatever there is`
      : `${k}+${m} that outlives the loss of ${survive} needs ${needed} domains with room, and there are ${found}`
  return new RelayError('RELAY_VAULT_UNHAPPY', `nothing is stored: ${what}`)
}

function countsOf (names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
