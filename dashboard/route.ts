import { useEffect, useState } from 'preact/hooks'

/** What the address asks for: `#/documents/<id>` is `['documents', '<id>']`. */
const read = (): string[] => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)

/** Renders again when the address is another. */
export function useRoute (): string[] {
  const [route, setRoute] = useState(read)
  useEffect(() => {
    const change = (): void => { setRoute(read()) }
    addEventListener('hashchange', change)
    return () => { removeEventListener('hashchange', change) }
  }, [])
  return route
}
