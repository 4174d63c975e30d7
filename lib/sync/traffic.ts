import { Counter, type Registry } from 'prom-client'

interface Sum { messages: number, bytes: number }

/**
 * Messages of one direction and their bytes, by type. Summed here and handed to the counters when they are read: a
 * counter with labels costs a microsecond each time, and there are two for every message.
 */
export class Traffic {
  readonly #sums = new Map<string, Sum>()

  /** @param direction `received` or `sent`. @param whose words for the help text */
  constructor (registry: Registry, direction: 'received' | 'sent', whose: string) {
    const counter = (name: string, what: string, read: (sum: Sum) => number): void => {
      const sums = this.#sums
      // eslint-disable-next-line no-new
      new Counter({
        name,
        help: `${what} ${whose} peers, by type`,
        labelNames: ['type'],
        registers: [registry],
        collect () {
          this.reset()
          for (const [type, sum] of sums) this.inc({ type }, read(sum))
        }
      })
    }
    counter(`relay_messages_${direction}_total`, 'Messages', ({ messages }) => messages)
    counter(`relay_${direction}_bytes_total`, 'Bytes of messages', ({ bytes }) => bytes)
  }

  add (type: string, bytes: number): void {
    const sum = this.#sums.get(type)
    if (sum === undefined) {
      this.#sums.set(type, { messages: 1, bytes })
      return
    }
    sum.messages++
    sum.bytes += bytes
  }
}
