import type { Feed } from './feed.ts'

/** Everything that can be told of a feed in figures. */
export function statusOf (feed: Feed) {
  const { source, store, hydrator, archive } = feed
  return {
    status: feed.problems.length === 0 ? 'ok' as const : 'failing' as const,
    problems: feed.problems,
    source: {
      host: source.hosts.current.url,
      wire: source.hosts.current.wire,
      state: source.state,
      connections: source.connections,
      switches: source.hosts.switches,
      lagSeconds: round(feed.lag)
    },
    position: feed.position ?? null,
    events: {
      received: feed.events,
      repeats: feed.repeats,
      unselected: feed.unselected,
      underWay: feed.buffer.size,
      underWayBytes: feed.buffer.bytes,
      isPaused: feed.buffer.isFull
    },
    records: {
      written: feed.records,
      first: store.firstNumber,
      last: store.lastNumber,
      bytes: store.bytes,
      sealedFiles: store.sealed.length,
      dropped: store.dropped,
      delayMs: feed.delay
    },
    hydrator: { isBroken: hydrator.isBroken, ...hydrator.stats() },
    sinks: feed.followers.map(({ sink, number, records, refusals, failures, missed, problem }) => ({
      name: sink.name,
      required: sink.required,
      number,
      behind: Math.max(0, store.lastNumber - number),
      records,
      refusals,
      failures,
      missed,
      problem: problem ?? null,
      ...sink.stats()
    })),
    archive: archive === undefined
      ? null
      : {
          stored: archive.stored,
          waiting: archive.waiting,
          failures: archive.failures,
          problem: archive.problem ?? null
        },
    gaps: feed.gaps.list.length,
    deadLetters: { kept: feed.deadLetters.size, dropped: feed.deadLetters.dropped }
  }
}

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000
