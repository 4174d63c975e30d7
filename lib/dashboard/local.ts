import type { IncomingHttpHeaders } from 'node:http'
import { isLoopback } from '../loopback.ts'

/**
 * Headers by which proxies say that they pass something on (RFC 7239, RFC 9110 section 7.6.3, and what was there
 * before).
 */
const FORWARDING = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip']

const OWN_NAME = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

/**
 * Why a request is not one of somebody at this machine, for a page that this relay has sent; undefined when it is. The
 * page lists every document, which are open to whoever knows their ids: so neither what a proxy passes on is answered,
 * nor what a page of another site asks for in the same browser, under its own name (CORS) or under one that it has had
 * resolved to this machine (DNS rebinding).
 * @param address of the other end of the socket
 */
export function whyNotLocal (address: string | undefined, headers: IncomingHttpHeaders): string | undefined {
  if (address === undefined || !isLoopback(address)) return 'only this machine may see it'
  const forwarding = FORWARDING.find(name => headers[name] !== undefined)
  if (forwarding !== undefined) return `only this machine may see it, and a proxy has passed this on (${forwarding})`
  if (!OWN_NAME.test(headers.host ?? '')) return 'only this machine may see it, as localhost or 127.0.0.1'
  const site = headers['sec-fetch-site'] ?? 'none'
  // a link that somebody has followed
  const isOwn = site === 'same-origin' || site === 'none' || headers['sec-fetch-dest'] === 'document'
  if (!isOwn || (headers.origin !== undefined && headers.origin !== `http://${headers.host}`)) {
    return 'no page of another site may see it'
  }
  return undefined
}
