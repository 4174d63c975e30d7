import type { IncomingMessage } from 'node:http'

const LINGER_MS = 2_000 // ms that the rest of a refused body may still come, so that its sender gets to read why

/** What is left of a body that was refused is read and dropped for a while; then the connection ends. */
export function discardRest (request: IncomingMessage): void {
  if (request.complete) return
  request.unpipe().resume()
  setTimeout(() => {
    if (!request.complete) request.destroy()
  }, LINGER_MS).unref()
}
