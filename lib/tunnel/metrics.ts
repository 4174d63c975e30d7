import { Counter, Gauge, type Metric, type Registry } from 'prom-client'
import { BUCKETS } from './calls/tally.ts'
import type { Tunnel } from './tunnel.ts'

const NAME = 'relay_tunnel_call_duration_seconds'

/** Puts what is counted of each task and event where Prometheus gets it from. */
export function registerTunnelMetrics (tunnel: Tunnel, registry: Registry): void {
  const labelsOf = ({ kind, id }: { kind: string, id: string }) => ({ kind, id })
  new Counter({ // eslint-disable-line no-new
    name: 'relay_tunnel_calls_total',
    help: 'Calls to tasks and events, by result: ok, or the error’s code',
    labelNames: ['kind', 'id', 'result'],
    registers: [registry],
    collect () {
      this.reset()
      for (const entry of tunnel.entries()) {
        for (const [result, count] of entry.tally.results) this.inc({ ...labelsOf(entry), result }, count)
      }
    }
  })
  new Gauge({ // eslint-disable-line no-new
    name: 'relay_tunnel_calls_in_flight',
    help: 'Handlers that are running',
    labelNames: ['kind', 'id'],
    registers: [registry],
    collect () {
      this.reset()
      for (const entry of tunnel.entries()) this.set(labelsOf(entry), entry.tally.inFlight)
    }
  })
  const help = 'From a call’s arrival to its answer'
  // not prom-client's own histogram: that one would have to be told of each call as it happens
  const durations = {
    name: NAME,
    help,
    get: async () => ({ name: NAME, help, type: 'histogram', aggregator: 'sum', values: durationsOf(tunnel) }),
    reset () {}
  }
  registry.registerMetric(durations as unknown as Metric)
}

interface Value { metricName: string, labels: Record<string, string | number>, value: number }

function durationsOf (tunnel: Tunnel): Value[] {
  return tunnel.entries().flatMap(({ kind, id, tally }) => {
    let count = 0
    const buckets = [...BUCKETS, '+Inf'].map((le, n) => {
      count += tally.buckets[n]!
      return { metricName: `${NAME}_bucket`, labels: { kind, id, le }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${NAME}_sum`, labels: { kind, id }, value: tally.total },
      { metricName: `${NAME}_count`, labels: { kind, id }, value: count }
    ]
  })
}
