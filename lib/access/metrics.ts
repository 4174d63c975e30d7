import { Counter, type Registry } from 'prom-client'
import type { RelayErrorCode } from '../errors.ts'

/** Returns what counts a refusal. */
export function countRefusals (registry: Registry): (code: RelayErrorCode) => void {
  const refused = new Counter({
    name: 'relay_access_refused_total',
    help: 'Requests, connections and changes refused by access control, by error code',
    labelNames: ['code'],
    registers: [registry]
  })
  return code => { refused.inc({ code }) }
}
