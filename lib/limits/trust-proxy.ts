import { isIP } from 'node:net'
import { RelayError } from '../errors.ts'

/**
 * What Fastify's `trustProxy` takes: addresses and networks, or whether the n-th hop, counted from here, is to be
 * believed.
 */
export type TrustProxy = string[] | ((address: string, hop: number) => boolean)

const NAMES = new Set(['loopback', 'linklocal', 'uniquelocal'])

/**
 * Whose `X-Forwarded-For` is believed: a number of proxies in a row, or their addresses and networks, comma-separated.
 * `true` is not taken: with it everybody could claim any address.
 * @throws RelayError RELAY_BAD_OPTION
 */
export function parseTrustProxy (text: string): TrustProxy {
  if (/^[1-9]\d?$/.test(text)) return (_address, hop) => hop < Number(text)
  const proxies = text.split(',').map(part => part.trim())
  const wrong = proxies.find(proxy => !NAMES.has(proxy) && !isNetwork(proxy))
  if (wrong === undefined) return proxies
  throw new RelayError(
    'RELAY_BAD_OPTION',
    `option trustProxy: ${JSON.stringify(wrong)} is neither a number of proxies nor an address, a network ` +
      '(10.0.0.0/8), loopback, linklocal or uniquelocal'
  )
}

function isNetwork (text: string): boolean {
  const [address = '', bits] = text.split('/')
  const version = isIP(address)
  return version !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
}
