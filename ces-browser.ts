import { SegmentCoder } from './lib/ces/segment.ts'
import { browserPlatform } from './lib/ces/browser-platform.ts'

export * from './lib/ces/ces.ts'
export { browserPlatform } from './lib/ces/browser-platform.ts'

/** Compresses, encrypts and shards on this thread: a page that must not stand still has it in a worker of its own. */
export const createSegmentCoder = async (): Promise<SegmentCoder> => new SegmentCoder(await browserPlatform())
