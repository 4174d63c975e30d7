import { isIP } from 'node:net'

/**
 * The addresses of `X-Forwarded-For` as such: without the ports and brackets that some proxies add, each time another
 * port. The nearest is the last. What is no address ends the list: who said it is the one to be counted.
 * @returns undefined when no address is left
 */
export function forwardedAddresses (header: string): string | undefined {
  const addresses = header.split(',').map(addressIn)
  const known = addresses.slice(addresses.lastIndexOf(undefined) + 1)
  return known.length === 0 ? undefined : known.join(', ')
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`. */
export function addressIn (text: string): string | undefined {
  const [, six, four] = /^\s*"?(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)"?\s*$/.exec(text) ?? []
  const address = six ?? four ?? text.trim()
  return isIP(address) === 0 ? undefined : address
}
