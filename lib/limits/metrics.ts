import { Counter, Gauge, type Registry } from 'prom-client'
import type { Descriptors } from './descriptors.ts'
import { limitsSchema, type LimitName } from './options.ts'
import type { Refusals } from './refusals.ts'

/** Has how often each limit was met, and the sockets, read with the other figures. */
export function registerLimitsMetrics (refusals: Refusals, descriptors: Descriptors, registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    // eslint-disable-next-line no-new
    new Gauge({ name, help, registers: [registry], async collect () { this.set(await read()) } })
  }
  gauge('relay_sockets', 'Open sockets, counted from accept: silent ones too', async () => {
    await descriptors.look()
    return descriptors.levels.sockets
  })
  gauge(
    'relay_sockets_max',
    'Sockets that may be open at the moment, for the file descriptors that there are',
    () => descriptors.levels.most
  )
  // eslint-disable-next-line no-new
  new Counter({
    name: 'relay_limits_met_total',
    help: 'How often something was refused, dropped or slowed down, by limit',
    labelNames: ['limit'],
    registers: [registry],
    collect () {
      this.reset()
      for (const limit of Object.keys(limitsSchema.properties)) {
        this.inc({ limit }, refusals.met.get(limit as LimitName) ?? 0)
      }
    }
  })
}
