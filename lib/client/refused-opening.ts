import type { Refusal } from './connection-state.ts'

const NOBODYS = '4NMNnkMhL8jXrdJ9jamS58PAVdXu' // a well-formed document id; whether it is there does not matter
const ANSWER_TIMEOUT = 10_000 // ms

/**
 * Why a socket was not opened. WebSocket clients are not told, so the same token is shown over HTTP: a relay refuses it
 * there for the same reason. Nothing when the server says nothing, or is no relay.
 * @param url of the socket
 */
export async function askWhy (url: string, token: string | undefined): Promise<Refusal> {
  const at = new URL(url)
  at.protocol = at.protocol.replace('ws', 'http')
  at.pathname = `${at.pathname.replace(/\/$/, '')}/api/documents/${NOBODYS}/heads`
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(at, { headers, signal: AbortSignal.timeout(ANSWER_TIMEOUT) })
  if (response.ok || response.status === 404) return {}
  const { code, error } = await response.json() as { code?: unknown, error?: unknown }
  if (typeof code !== 'string') return {}
  const seconds = Number(response.headers.get('retry-after'))
  return {
    code,
    message: typeof error === 'string' ? error : undefined,
    ...(seconds > 0 && { retryAfter: seconds * 1_000 })
  }
}
