import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'

/** The key in a secret: base64 behind `whsec_`, or the text as it is. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret)

/** Whether its key is what it seems to be: behind `whsec_` base64 of 24 to 64 bytes, as the specification has it. */
export function isSecret (secret: string): boolean {
  if (!secret.startsWith(PREFIX)) return true
  const key = keyOf(secret)
  const plain = (text: string): string => text.replace(/=*$/, '')
  return plain(key.toString('base64')) === plain(secret.slice(PREFIX.length)) && key.length >= 24 && key.length <= 64
}

/**
 * The headers by which a receiver can tell that a message is from who knows the secret, and new (the Standard Webhooks
 * specification, symmetric signatures).
 * @param timestamp s since 1970
 */
export function signed (
  secret: string, { id, timestamp, body }: { id: string, timestamp: number, body: string }
): Record<string, string> {
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': `v1,${signature}` }
}
