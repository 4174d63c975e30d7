import { RelayError } from '../../errors.ts'

/** A bundle that is not one; the reason is for whoever sent it. */
export const invalidBundle = (reason: string, cause?: unknown): RelayError =>
  new RelayError('RELAY_BUNDLE_INVALID', `Invalid bundle: ${reason}`, { cause })

/** A bundle beyond a limit of the options. */
export const bundleTooLarge = (reason: string): RelayError =>
  new RelayError('RELAY_BUNDLE_TOO_LARGE', `Bundle too large: ${reason}`)

const SHOWN_LENGTH = 200

/** A name out of a bundle, safe to print: cut, quoted, control characters escaped. */
export const quoted = (name: string): string =>
  JSON.stringify(name.length > SHOWN_LENGTH ? `${name.slice(0, SHOWN_LENGTH)}…` : name)
