/** A task or an event */
export interface CallTarget { kind: 'task' | 'event', id: string }

/** What a path under the base asks for. */
export type Target = CallTarget | { kind: 'discovery' }

/** One slash in front, none behind; `/` alone is the root. */
export function normalizeBase (basePath: string): string {
  return '/' + basePath.split('/').filter(Boolean).join('/')
}

/**
 * Takes paths of one base apart. Ids may hold slashes, raw or encoded; empty segments do not count; the query is
 * ignored.
 */
export class Router {
  readonly #base: string
  /** Few ids are called often: what their paths mean is remembered. */
  readonly #known = new Map<string, Target>()

  constructor (base: string) {
    this.#base = base === '/' ? '' : base
  }

  /** Whether the URL is for this base to answer. */
  covers (url: string): boolean {
    if (!url.startsWith(this.#base)) return false
    const next = url[this.#base.length]
    return next === undefined || next === '/' || next === '?'
  }

  /** Undefined for paths that mean nothing. */
  find (url: string): Target | undefined {
    const known = this.#known.get(url)
    if (known !== undefined) return known
    if (!this.covers(url)) return undefined
    const query = url.indexOf('?')
    const path = url.slice(this.#base.length, query < 0 ? undefined : query)
    const [kind, ...rest] = path.split('/').filter(Boolean)
    if (kind === 'discovery') return { kind }
    if ((kind !== 'task' && kind !== 'event') || rest.length === 0) return undefined
    try {
      return { kind, id: decodeURIComponent(rest.join('/')) }
    } catch {
      return undefined // a bad percent sign names nothing
    }
  }

  /** The URL has been found to name something that exists. */
  remember (url: string, target: Target): void {
    if (this.#known.size < 1000) this.#known.set(url, target)
  }
}
