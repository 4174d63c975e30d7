import type { Log } from '../log.ts'
import type { Archive } from './archive/archive.ts'
import type { Hydrator } from './hydrate/hydrator.ts'
import type { Selection } from './pipeline/selection.ts'
import type { Sink } from './sinks/sink.ts'
import type { SourceParts } from './source/source.ts'
import type { StoreOptions } from './store/store.ts'

/** What a feed is made of. */
export interface FeedParts {
  /** The feed's own folder */
  readonly folder: string
  readonly source: Pick<SourceParts, 'hosts' | 'filter' | 'dial' | 'compression'>
  readonly selection: Selection
  readonly hydrator: Hydrator
  readonly sinks: readonly Sink[]
  /** Where sealed files are archived, if they are */
  readonly archive?: Archive | undefined
  readonly store: Pick<StoreOptions, 'durability' | 'rotateAfter' | 'rotateBytes' | 'keepFor' | 'keepBytes'>
  readonly log: Log
}
