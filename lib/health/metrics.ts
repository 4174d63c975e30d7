import { Gauge, type Registry } from 'prom-client'
import type { Health } from './health.ts'

/** Tells each check of readiness as 1 (ok) or 0 (failing), as it is when the figures are read. */
export function registerHealthMetrics (health: Health, registry: Registry): void {
  // eslint-disable-next-line no-new
  new Gauge({
    name: 'relay_health_check',
    help: 'Readiness checks: 1 if a check passes, 0 if it fails',
    labelNames: ['check'],
    registers: [registry],
    async collect () {
      const { checks } = await health.report()
      for (const [check, { status }] of Object.entries(checks)) this.set({ check }, status === 'ok' ? 1 : 0)
    }
  })
}
