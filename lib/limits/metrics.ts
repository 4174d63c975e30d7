import { Counter, type Registry } from 'prom-client'
import { limitsSchema, type LimitName } from './options.ts'
import type { Refusals } from './refusals.ts'

/** Has how often each limit was met read with the other figures. */
export function registerLimitsMetrics (refusals: Refusals, registry: Registry): void {
  // eslint-disable-next-line no-new
  new Counter({
    name: 'relay_limits_met_total',
    help: 'Times that something was refused, dropped or slowed down, by limit',
    labelNames: ['limit'],
    registers: [registry],
    collect () {
      this.reset()
      for (const limit of Object.keys(limitsSchema.properties)) this.inc({ limit }, refusals.met.get(limit as LimitName) ?? 0)
    }
  })
}
