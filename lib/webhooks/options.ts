import { Type, type Static } from 'typebox'
import { badOption, messageOf } from '../errors.ts'
import { parseJson, readText } from '../settings-file.ts'
import { validator, type Fault } from '../validate.ts'
import { isSecret } from './signature.ts'

/** What the relay tells of. */
export const EVENTS = ['relay.document.changed', 'relay.bundle.stored', 'relay.peer.connected'] as const

export type EventType = typeof EVENTS[number]

const webhook = Type.Object({
  url: Type.String({ pattern: '^https?://', description: 'URL that events are posted to' }),
  secret: Type.String({ minLength: 16, description: 'Key that signs events: `whsec_` and base64, or any text' }),
  events: Type.Array(Type.Unsafe<EventType>({ enum: EVENTS }), {
    minItems: 1, default: [...EVENTS], description: 'Events to send; all by default'
  })
}, { additionalProperties: false })

/** Somebody who wants to be told. */
export type Webhook = Static<typeof webhook>

export type WebhookOptions = Omit<Webhook, 'events'> & { events?: EventType[] }

const inOption: Fault = (path, problem) => badOption(['webhooks', path].filter(Boolean).join('.'), problem)
const inFile: Fault = (path, problem) => badOption('webhookFile', [path, problem].filter(Boolean).join(': '))
const [validateOption, validateFile] = [inOption, inFile].map(fault => {
  const validate = validator<Webhook[]>(Type.Array(webhook), fault)
  return (given: unknown) => checked(validate(given), fault)
}) as [(given: unknown) => Webhook[], (given: unknown) => Webhook[]]

/** What is refused is not repeated: it may be a secret. */
function checked (webhooks: Webhook[], fault: Fault): Webhook[] {
  for (const [n, { url, secret }] of webhooks.entries()) {
    if (!URL.canParse(url)) throw fault(`${n}.url`, 'is no URL')
    if (!isSecret(secret)) throw fault(`${n}.secret`, 'must have base64 of 24 to 64 bytes behind whsec_')
  }
  return webhooks
}

/** Checks and fills in. @throws RelayError RELAY_BAD_OPTION */
export const parseWebhooks = (given: unknown): Webhook[] =>
  Array.isArray(given) && given.length === 0 ? [] : validateOption(given)

/** A file with a JSON list of webhooks. @throws RelayError RELAY_BAD_OPTION */
export function readWebhooks (file: string): Webhook[] {
  let given
  try {
    given = parseJson(readText(file))
  } catch (cause) {
    throw inFile('', messageOf(cause))
  }
  return validateFile(given)
}
