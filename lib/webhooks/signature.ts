import { createHmac } from 'node:crypto'

/** The key in a secret: base64 behind `whsec_`, or the text as it is. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)

/**
 * The headers by which a receiver can tell that a message is from who knows the secret, and new (the Standard Webhooks
 * specification, symmetric signatures).
 * @param timestamp s since 1970
 */
export function signed (secret: string, { id, timestamp, body }: { id: string, timestamp: number, body: string }): Record<string, string> {
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` }
}
