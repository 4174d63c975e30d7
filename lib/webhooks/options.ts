import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { Type, type Static } from 'typebox'
import { RelayError, messageOf } from '../errors.ts'

/** What the relay tells of. */
export const EVENTS = ['relay.document.changed', 'relay.bundle.stored', 'relay.peer.connected'] as const

export type EventType = typeof EVENTS[number]

const webhook = Type.Object({
  url: Type.String({ pattern: '^https?://', description: 'Where events are posted' }),
  secret: Type.String({ minLength: 16, description: 'What they are signed with; `whsec_` and base64, or any text' }),
  events: Type.Array(Type.Unsafe<EventType>({ enum: EVENTS }), { minItems: 1, default: [...EVENTS], description: 'Which, all unless told' })
}, { additionalProperties: false })

/** Somebody who wants to be told. */
export type Webhook = Static<typeof webhook>

export type WebhookOptions = Omit<Webhook, 'events'> & { events?: EventType[] }

const valid = new Ajv({ useDefaults: true, strict: false }).compile<Webhook[]>(Type.Array(webhook))

/** Checks and fills in. @throws RelayError RELAY_BAD_OPTION */
export function parseWebhooks (given: unknown, where = 'webhooks'): Webhook[] {
  const webhooks = structuredClone(given)
  if (valid(webhooks)) return webhooks
  const [first] = valid.errors!
  throw new RelayError('RELAY_BAD_OPTION', `option ${where}${first!.instancePath.replaceAll('/', '.')}: ${first!.message!}`)
}

/** A file with a JSON list of webhooks. @throws RelayError RELAY_BAD_OPTION */
export function readWebhooks (file: string): Webhook[] {
  try {
    return parseWebhooks(JSON.parse(readFileSync(file, 'utf8')), 'webhookFile')
  } catch (cause) {
    if (cause instanceof RelayError) throw cause
    throw new RelayError('RELAY_BAD_OPTION', `option webhookFile: ${messageOf(cause)}`, { cause })
  }
}
