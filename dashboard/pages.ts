import { useState } from 'preact/hooks'

/** Pages of a list that is asked for by the last id of the one before. */
export function usePages () {
  const [starts, setStarts] = useState<string[]>([])
  return {
    after: starts.at(-1),
    number: starts.length + 1,
    reset: () => { setStarts([]) },
    back: starts.length > 0 ? () => { setStarts(starts.slice(0, -1)) } : undefined,
    nextAfter: (id: string) => () => { setStarts([...starts, id]) }
  }
}
