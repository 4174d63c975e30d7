import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, type S3Client
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { RelayError, type RelayErrorCode } from '../errors.ts'
import { openBody } from './object-body.ts'
import { checkKey, isObjectKey } from './object-key.ts'
import type {
  Abortable, ByteRange, ListOptions, ListedObject, ObjectBody, ObjectFacts, ObjectStore, OpenOptions, PutOptions,
  StoredObject
} from './object-store.ts'
import { OpenedObject } from './opened-object.ts'
import type { S3Options } from './options.ts'
import {
  S3_TIMEOUTS, createS3Client, harmless, placeOf, reasonOf, s3StatusOf, wasRepeated, type S3Timeouts
} from './s3-client.ts'

/** With the 5 MiB parts of lib-storage, a `put` holds at most 20 MiB: two on their way, one being read and joined. */
const PARTS_AT_ONCE = 2

const MAX_PAGE_LENGTH = 1_000 // S3's own

/** What tells a put that its answer was lost from one that somebody else made. */
const PUT_ID = 'put'

/**
 * Objects in a bucket of S3 or of any server that speaks it. Needs s3:ListBucket, s3:GetObject, s3:PutObject and
 * s3:AbortMultipartUpload, and s3:DeleteObject for objects to be deleted. Without s3:ListBucket S3 calls a missing
 * object forbidden, so `check` refuses such credentials.
 */
export class S3Objects implements ObjectStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #place: string
  readonly #timeouts: S3Timeouts

  constructor (options: S3Options, timeouts: Partial<S3Timeouts> = {}) {
    this.#timeouts = { ...S3_TIMEOUTS, ...timeouts }
    this.#bucket = options.bucket
    this.#place = placeOf(options)
    this.#client = createS3Client(options, this.#timeouts)
  }

  async open (
    key: string, { signal, changed = 'RELAY_OBJECT_CHANGED' }: OpenOptions = {}
  ): Promise<StoredObject | null> {
    const facts = await this.head(key, { signal })
    return facts === null
      ? null
      : new OpenedObject({
        ...facts,
        read: (range, signal) => this.#read(key, facts.etag, range, signal, changed),
        release: async () => {} // nothing is held
      })
  }

  async read (key: string, { signal }: Abortable = {}): Promise<Buffer | null> {
    const Key = checkKey(key)
    try {
      const { Body } = await this.#client.send(
        new GetObjectCommand({ Bucket: this.#bucket, Key }), this.#answer(signal)
      )
      return await buffer(this.#patiently(Body as Readable))
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      const problem = await this.#whyMissing(key, error)
      if (problem === undefined) return null
      throw unavailable('read', key, problem)
    }
  }

  async head (key: string, { signal }: Abortable = {}): Promise<ObjectFacts | null> {
    return (await this.#head(key, signal))?.facts ?? null
  }

  async put (
    key: string, body: ObjectBody, { signal, owner, replaces, sha256 }: PutOptions = {}
  ): Promise<{ etag: string }> {
    const [Key, id] = [checkKey(key), randomUUID()]
    signal?.throwIfAborted()
    const bytes = openBody(body, sha256)
    const aborter = new AbortController()
    const abort = (): void => { aborter.abort() }
    signal?.addEventListener('abort', abort)
    try {
      const { ETag: etag } = await new Upload({
        client: this.#client,
        queueSize: PARTS_AT_ONCE,
        abortController: aborter,
        params: {
          Bucket: this.#bucket,
          Key,
          Body: bytes,
          ContentType: 'application/octet-stream',
          Metadata: {
            uploadedAt: new Date().toISOString(),
            [PUT_ID]: id,
            ...owner !== undefined && { owner: encodeURIComponent(owner) }
          },
          ...replaces === null ? { IfNoneMatch: '*' } : replaces !== undefined && { IfMatch: replaces }
        }
      }).done()
      return { etag: etag ?? await this.#etagOf(key) }
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      if (error instanceof RelayError) throw error
      const etag = wasRepeated(error) ? await this.#storedBy(key, id) : undefined
      if (etag !== undefined) return { etag }
      const isReplaced = replaces !== undefined && [404, 409, 412].includes(s3StatusOf(error) ?? 0)
      if (isReplaced) {
        throw new RelayError('RELAY_PRECONDITION_FAILED', `${key} was replaced meanwhile`, { cause: harmless(error) })
      }
      throw unavailable('store', key, error)
    } finally {
      signal?.removeEventListener('abort', abort)
      for (const stream of [bytes, body]) if (stream instanceof Readable) stream.destroy()
    }
  }

  async list ({ prefix, after, limit, signal }: ListOptions): Promise<ListedObject[]> {
    const listed: ListedObject[] = []
    let StartAfter = after
    try {
      for (let isMore = true; isMore && listed.length < limit;) {
        const command = new ListObjectsV2Command({
          Bucket: this.#bucket, Prefix: prefix, StartAfter, MaxKeys: Math.min(limit, MAX_PAGE_LENGTH)
        })
        const { Contents = [], IsTruncated = false } = await this.#client.send(command, this.#answer(signal))
        for (
          const { Key: key = '', Size: size = 0, ETag: etag = '', LastModified: modified = new Date(0) } of Contents
        ) {
          if (isObjectKey(key) && listed.length < limit) {
            listed.push({ key, size, etag, modified }) // others are nobody's
          }
          StartAfter = key
        }
        isMore = IsTruncated && Contents.length > 0
      }
      return listed
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : unavailable('list', prefix, error)
    }
  }

  async remove (key: string, { signal }: Abortable = {}): Promise<void> {
    const Key = checkKey(key)
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key }), this.#answer(signal))
    } catch (error) {
      throw signal?.aborted === true ? signal.reason : unavailable('delete', key, error)
    }
  }

  async check (prefix: string): Promise<void> {
    const problem = await this.#problem(prefix)
    if (problem === undefined) return
    const cause = harmless(problem)
    throw new RelayError(
      'RELAY_STORE_UNAVAILABLE', `S3 bucket ${this.#place} cannot be used: ${cause.message}`, { cause }
    )
  }

  async close (): Promise<void> { this.#client.destroy() }

  #answer (abortSignal: AbortSignal | undefined) { return { abortSignal, requestTimeout: this.#timeouts.answer } }

  async #head (key: string, signal?: AbortSignal): Promise<{ facts: ObjectFacts, put: string | undefined } | null> {
    const Key = checkKey(key)
    try {
      const head = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key }), this.#answer(signal))
      const { ContentLength: size, ETag: etag, LastModified: modified, Metadata: { owner, [PUT_ID]: put } = {} } = head
      if (size === undefined || etag === undefined || modified === undefined) {
        throw new Error('an answer without size, ETag or date')
      }
      return { facts: { size, etag, modified, owner: owner === undefined ? undefined : decoded(owner) }, put }
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      const problem = await this.#whyMissing(key, error)
      if (problem === undefined) return null
      throw unavailable('open', key, problem)
    }
  }

  /** Nothing when it was the object that was not found, and not the bucket: an answer to HEAD has no body to tell. */
  async #whyMissing (key: string, error: unknown): Promise<unknown> {
    if (s3StatusOf(error) !== 404) return error
    if (error instanceof Error && error.name === 'NoSuchKey') return undefined
    return await this.#problem(key.slice(0, key.lastIndexOf('/') + 1))
  }

  async #etagOf (key: string): Promise<string> {
    const etag = (await this.#head(key))?.facts.etag
    if (etag === undefined) throw new Error('an answer without ETag, and no object')
    return etag
  }

  /** The ETag of what a put has stored whose answer was lost, so that it was sent again and refused. */
  async #storedBy (key: string, id: string): Promise<string | undefined> {
    const head = await this.#head(key).catch(() => null) // then the first failure is told
    return head?.put === id ? head.facts.etag : undefined
  }

  /**
   * Why the bucket cannot be used, if so. Lists a name that cannot exist: cheap everywhere, and unlike HeadBucket's the
   * refusal says what is wrong.
   */
  async #problem (prefix: string): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.#timeouts.check)
    try {
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: `${prefix}.check/`, MaxKeys: 1 })
      await this.#client.send(command, { abortSignal: timeout })
    } catch (error) {
      return timeout.aborted ? new Error(`no answer in ${this.#timeouts.check} ms`) : error
    }
  }

  async * #read (
    key: string, etag: string, range: ByteRange, signal: AbortSignal, changed: RelayErrorCode
  ): AsyncGenerator<Uint8Array> {
    if (range.start === range.end) return // not to be said in a Range header
    const replaced = () => new RelayError(changed, `${key} was replaced while it was being read`)
    let body: Readable | undefined
    try {
      const reply = await this.#client.send(new GetObjectCommand({
        Bucket: this.#bucket, Key: key, IfMatch: etag, Range: `bytes=${range.start}-${range.end - 1}`
      }), this.#answer(signal))
      body = reply.Body as Readable
      if (reply.ETag !== etag) throw replaced() // a server that does not know If-Match
      if (reply.ContentLength !== range.end - range.start) throw new Error('an answer of another length than asked for')
      yield * this.#patiently(body)
    } catch (error) {
      if (error instanceof RelayError) throw error
      const status = s3StatusOf(error)
      throw status === 412 || status === 404 ? replaced() : unavailable('read', key, error)
    } finally {
      body?.destroy()
    }
  }

  /** Gives up on a body when it is the server that keeps us waiting, and never because our reader takes its time. */
  async * #patiently (body: Readable): AsyncGenerator<Uint8Array> {
    const ms = this.#timeouts.answer
    const wait = () => setTimeout(() => body.destroy(new Error(`no data for ${ms} ms`)), ms)
    let waiting = wait()
    try {
      for await (const chunk of body) {
        clearTimeout(waiting)
        yield chunk
        waiting = wait()
      }
    } finally {
      clearTimeout(waiting)
    }
  }
}

/** Who has written it may not have been a relay. */
function decoded (owner: string): string {
  try {
    return decodeURIComponent(owner)
  } catch {
    return owner
  }
}

/** Clients may see the message, so it names no bucket; the cause tells more. */
const unavailable = (doing: string, key: string, error: unknown): RelayError =>
  new RelayError('RELAY_STORE_UNAVAILABLE', `cannot ${doing} ${key}: ${reasonOf(error)}`, { cause: harmless(error) })
