import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { badOption, messageOf } from '../errors.ts'
import { validator } from '../validate.ts'

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

const list = Type.Array(webhook)
const validateOption = validator<Webhook[]>(list, (path, problem) => badOption(['webhooks', path].filter(Boolean).join('.'), problem))
const validateFile = validator<Webhook[]>(list, (path, problem) => badOption('webhookFile', [path, problem].filter(Boolean).join(': ')))

/** Checks and fills in. @throws RelayError RELAY_BAD_OPTION */
export const parseWebhooks = (given: unknown): Webhook[] => validateOption(given)

/** A file with a JSON list of webhooks. @throws RelayError RELAY_BAD_OPTION */
export function readWebhooks (file: string): Webhook[] {
  let given
  try {
    given = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw badOption('webhookFile', messageOf(cause), cause)
  }
  return validateFile(given)
}
