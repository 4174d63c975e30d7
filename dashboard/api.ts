/** Where the token is kept: as long as the tab, and nowhere else. */
const KEY = 'relay-token'

/** Takes the token out of `?token=`, so that it stays in no history and is in no link that somebody copies. */
export function takeToken (): void {
  const url = new URL(location.href)
  const token = url.searchParams.get('token')
  if (token === null) return
  url.searchParams.delete('token')
  history.replaceState(null, '', url)
  keepToken(token)
}

export const keepToken = (token: string): void => { sessionStorage.setItem(KEY, token) }
export const knownToken = (): string | null => sessionStorage.getItem(KEY)

/** The relay refused, or could not be reached (then without a status). */
export class ApiError extends Error {
  readonly status: number | undefined

  constructor (message: string, status?: number) {
    super(message)
    this.status = status
  }
}

/** An address beside the page's own, `<prefix>/dashboard`. */
export const beside = (path: string): URL => new URL(path, location.href)

/** JSON of the relay's. @throws ApiError */
export async function get<Answer> (path: string, signal?: AbortSignal): Promise<Answer> {
  const token = knownToken()
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(beside(path), { headers, signal: signal ?? null }).catch((error: unknown) => {
    if (signal?.aborted === true) throw error
    throw new ApiError('The relay cannot be reached')
  })
  const body = await response.json().catch(() => ({ error: `It answered ${response.status} and no JSON` }))
  // whether it is ready is said with 503 as well
  if (response.ok || 'checks' in body) return body
  throw new ApiError(body.error, response.status)
}

/** Of the relay's sync socket. The client that reads it takes nothing but an address. */
export function syncAddress (): string {
  const url = beside('./')
  url.protocol = url.protocol.replace('http', 'ws')
  const token = knownToken()
  if (token !== null) url.searchParams.set('token', token)
  url.hash = ''
  return url.href
}
