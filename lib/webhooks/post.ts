import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'

export interface Posted {
  status: number
  /** ms to wait before the next try; 0 when nothing was said */
  retryAfter: number
}

/**
 * Posts JSON. Not by `fetch`, which takes no URL with a name and a password in it (sent as Basic, RFC 7617) and refuses
 * some ports. Redirects are not followed.
 * @throws what went wrong on the way; whatever `signal` is aborted with
 */
export async function post (
  url: string, headers: Record<string, string>, body: string, signal: AbortSignal
): Promise<Posted> {
  const request = url.startsWith('https:') ? requestHttps : requestHttp
  const bytes = Buffer.from(body)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, {
      method: 'POST',
      signal,
      headers: { 'content-type': 'application/json', 'content-length': bytes.length, ...headers }
    })
      .on('response', resolve)
      .on('error', error => { reject(signal.aborted ? signal.reason : error) })
      .end(bytes)
  })
  response.on('error', () => {}).destroy() // only its head says something
  return { status: response.statusCode!, retryAfter: retryAfterOf(response.headers['retry-after'], Date.now()) }
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. @returns ms from `now` on */
export function retryAfterOf (text: string | undefined, now: number): number {
  if (text === undefined) return 0
  if (/^\s*\d+\s*$/.test(text)) return Number(text) * 1000
  const isDate = /^\s*(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) // V8 makes a date of nearly anything
  const wait = isDate ? Date.parse(text.includes('GMT') ? text : `${text} GMT`) - now : 0
  return wait > 0 ? wait : 0
}
