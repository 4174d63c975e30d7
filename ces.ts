import { SegmentCoder } from './lib/ces/segment.ts'
import { nodePlatform } from './lib/ces/node-platform.ts'

export * from './lib/ces/ces.ts'
export { CesWorkers, type CesWorkersOptions } from './lib/ces/workers/workers.ts'
export { nodePlatform } from './lib/ces/node-platform.ts'

/** Compresses, encrypts and shards on this thread; `CesWorkers` does on others. */
export const createSegmentCoder = async (): Promise<SegmentCoder> => new SegmentCoder(await nodePlatform())
