import { RelayError, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { grazeText } from '../shape/graze.ts'
import { recordText } from '../shape/record.ts'
import { turboText } from '../shape/turbo.ts'
import { RedisConnection, loadRedis } from './redis-client.ts'
import type { Batch, FeedRecord, Refusal, Sink, SinkStats } from './sink.ts'

/** Fields of an entry: our own JSON under `record`, or as one of the known programs has them. */
export type RedisLayout = 'record' | 'graze' | 'turbo'

export interface RedisSinkOptions {
  /** `redis://…` or `rediss://…`; a secret where it has a password */
  url: string
  stream: string
  layout: RedisLayout
  /** What tells this feed's entries from those of others that write to the same stream: each has its own */
  writer: string
  log: Log
  required?: boolean
  /** Entries that are kept, roughly */
  maxLength?: number
  /** ms that entries are kept, roughly; counts instead of `maxLength` when it is given */
  maxAge?: number
  /** ms that Redis may take for a batch */
  timeout?: number
}

const layouts: Record<RedisLayout, (record: FeedRecord) => string[]> = {
  record: record => ['record', recordText(record)],
  graze: record => ['data', grazeText(record)],
  turbo: record => [
    'at_uri', record.event.uri, 'did', record.event.did, 'message', turboText(record), 'hydrated_at',
    new Date(record.hydration.at).toISOString()
  ]
}

/**
 * Adds entries and notes how far it came, all or nothing. Entries up to what was noted are there already and are left
 * out. Ids are `<ms>-<number>`; where others have written a later one, Redis makes the id. The keys are of one slot.
 * ARGV: trim by, trim to, number of fields, then for each entry its ms, its number and its fields.
 */
const SCRIPT = `
local noted = tonumber(redis.call('GET', KEYS[2]) or '0')
local size = tonumber(ARGV[3]) * 2
local added = 0
for at = 4, #ARGV, size + 2 do
  local number = tonumber(ARGV[at + 1])
  if number > noted then
    local fields = {}
    for n = 1, size do fields[n] = ARGV[at + 1 + n] end
    local done = redis.pcall('XADD', KEYS[1], ARGV[at] .. '-' .. ARGV[at + 1], unpack(fields))
    if type(done) == 'table' and done.err then
      if not string.find(done.err, 'equal or smaller') then return done end
      redis.call('XADD', KEYS[1], '*', unpack(fields))
    end
    noted = number
    added = added + 1
  end
end
redis.call('SET', KEYS[2], noted)
redis.call('XTRIM', KEYS[1], ARGV[1], '~', ARGV[2])
return added
`

/** A Redis stream. Each record is in it once, also after a crash; `maxLength` and `maxAge` say for how long. */
export class RedisSink implements Sink {
  readonly name = 'redis'
  readonly required: boolean
  readonly #options: RedisSinkOptions
  readonly #connection: RedisConnection
  readonly #note: string
  #added = 0
  #repeats = 0
  #problem: string | null = null

  private constructor (options: RedisSinkOptions, connection: RedisConnection) {
    this.#options = options
    this.required = options.required ?? false
    this.#connection = connection
    this.#note = `{${options.stream}}:written:${options.writer}` // the braces put it where the stream is, in a cluster
  }

  /**
   * Redis need not be there yet.
   * @throws RelayError RELAY_BAD_OPTION for a bad URL, or when the package is not installed
   */
  static async open (options: RedisSinkOptions): Promise<RedisSink> {
    const { url, log, timeout = 30_000 } = options
    if (!/^rediss?:$/.test(protocolOf(url))) {
      throw new RelayError('RELAY_BAD_OPTION', 'option feed.redisUrl: not a redis:// or rediss:// URL')
    }
    return new RedisSink(options, new RedisConnection(await loadRedis(), { url, log, timeout }))
  }

  async write (batch: Batch, signal?: AbortSignal): Promise<readonly Refusal[]> {
    const { stream, layout, maxLength = 100_000, maxAge } = this.#options
    const entries: string[] = []
    let fields = 0
    for (const record of batch) {
      const entry = layouts[layout](record)
      fields = entry.length / 2
      entries.push(String(record.hydration.at), String(record.number), ...entry)
    }
    const trim = maxAge === undefined ? ['MAXLEN', String(maxLength)] : ['MINID', String(Date.now() - maxAge)]
    try {
      const added = await this.#connection.send(
        ['EVAL', SCRIPT, '2', stream, this.#note, ...trim, String(fields), ...entries], signal
      )
      this.#added += Number(added)
      this.#repeats += batch.length - Number(added)
      this.#problem = null
      return []
    } catch (error) {
      this.#problem = messageOf(error)
      throw error
    }
  }

  /** Entries that are there already stay; those that come again have ids of Redis's own. */
  async rewind (after: number): Promise<void> {
    await this.#connection.send(['SET', this.#note, String(after)])
  }

  stats (): SinkStats {
    const { stream } = this.#options
    return {
      stream,
      connected: this.#connection.isConnected,
      added: this.#added,
      repeats: this.#repeats,
      problem: this.#problem
    }
  }

  async close (): Promise<void> { await this.#connection.close() }
}

function protocolOf (url: string): string {
  try {
    return new URL(url).protocol
  } catch {
    return ''
  }
}
