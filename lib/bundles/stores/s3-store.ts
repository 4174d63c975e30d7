import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { S3Options } from '../../options.ts'
import { BUNDLES, bundleKey, idOfKey } from './key.ts'
import { OpenedBundle } from './opened-bundle.ts'
import type { BundleFile, BundlePage, BundleStore, ByteRange, ListedBundle, PutOptions, StoredBundle } from './store.ts'

/**
 * All in ms and for one attempt, of which the SDK makes three (AWS_MAX_ATTEMPTS): `connect`; `answer`, the headers of a
 * reply or the next bytes of a body that is being read; `part`, to send 5 MiB. But `check` is for all attempts together.
 */
const TIMEOUTS = { connect: 2_000, answer: 10_000, part: 60_000, check: 3_000 }

/** With the 5 MiB parts of lib-storage, a `put` holds at most 20 MiB: two on their way, one being read and joined. */
const PARTS_AT_ONCE = 2

/**
 * Bundles as objects `bundles/<id>.tonk` in a bucket of S3 or of any server that speaks it. Needs s3:ListBucket,
 * s3:GetObject, s3:PutObject and s3:AbortMultipartUpload, and s3:DeleteObject for bundles to be deleted. Without s3:ListBucket S3 calls a missing object forbidden, so
 * `check` refuses such credentials.
 */
export class S3Store implements BundleStore {
  readonly #client: S3Client
  readonly #bucket: string
  readonly #place: string
  readonly #timeouts: typeof TIMEOUTS

  constructor ({ bucket, region, endpoint, accessKeyId, secretAccessKey }: S3Options, timeouts: Partial<typeof TIMEOUTS> = {}) {
    this.#timeouts = { ...TIMEOUTS, ...timeouts }
    this.#bucket = bucket
    this.#place = endpoint === undefined ? bucket : `${bucket} at ${endpoint.replace(/\/\/[^/]*@/, '//')}`
    const agent = { maxSockets: Infinity } // by default 50: so many slow readers would keep out everyone else
    this.#client = new S3Client({
      region,
      ...endpoint !== undefined && { endpoint, forcePathStyle: true },
      ...accessKeyId !== undefined && secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } },
      expectContinueHeader: false, // with it, each part opens its own connection
      requestHandler: {
        connectionTimeout: this.#timeouts.connect,
        requestTimeout: this.#timeouts.part,
        throwOnRequestTimeout: true,
        httpAgent: agent,
        httpsAgent: agent
      }
    })
  }

  async open (id: DocumentId): Promise<StoredBundle | null> {
    const Key = bundleKey(id)
    try {
      const command = new HeadObjectCommand({ Bucket: this.#bucket, Key })
      const head = await this.#client.send(command, { requestTimeout: this.#timeouts.answer })
      const { ContentLength: size, ETag: etag, LastModified: modified, Metadata: { owner } = {} } = head
      if (size === undefined || etag === undefined || modified === undefined) throw new Error('an answer without size, ETag or date')
      return new OpenedBundle({
        size,
        etag,
        modified,
        owner: owner === undefined ? undefined : decodeURIComponent(owner),
        read: (range, signal) => this.#read(Key, etag, range, signal),
        release: async () => {} // nothing is held
      })
    } catch (error) {
      // An answer to HEAD has no body to tell what was not found: the object, or the bucket.
      const problem = statusOf(error) === 404 ? await this.#problem() : error
      if (problem === undefined) return null
      throw unavailable('open', problem)
    }
  }

  async put (id: DocumentId, { path: file }: BundleFile, { owner, replaces }: PutOptions = {}): Promise<void> {
    const body = createReadStream(file)
    try {
      await new Upload({
        client: this.#client,
        queueSize: PARTS_AT_ONCE,
        params: {
          Bucket: this.#bucket,
          Key: bundleKey(id),
          Body: body,
          ContentType: 'application/octet-stream',
          Metadata: { uploadedAt: new Date().toISOString(), ...owner !== undefined && { owner: encodeURIComponent(owner) } },
          ...replaces === null ? { IfNoneMatch: '*' } : replaces !== undefined && { IfMatch: replaces }
        }
      }).done()
    } catch (error) {
      const isReplaced = replaces !== undefined && [404, 409, 412].includes(statusOf(error) ?? 0)
      if (isReplaced) throw new RelayError('RELAY_PRECONDITION_FAILED', 'the bundle was replaced meanwhile', { cause: harmless(error) })
      throw unavailable('store', error)
    } finally {
      body.destroy()
    }
  }

  async list ({ after, limit }: BundlePage): Promise<ListedBundle[]> {
    const listed: ListedBundle[] = []
    let StartAfter = after === undefined ? undefined : bundleKey(after as DocumentId)
    try {
      for (let isMore = true; isMore && listed.length < limit;) {
        const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: BUNDLES, StartAfter, MaxKeys: limit })
        const { Contents = [], IsTruncated = false } = await this.#client.send(command, { requestTimeout: this.#timeouts.answer })
        for (const { Key = '', Size: size = 0, LastModified: modified = new Date(0) } of Contents) {
          const id = idOfKey(Key) // other objects are nobody's
          if (id !== undefined && listed.length < limit) listed.push({ id, size, modified })
          StartAfter = Key
        }
        isMore = IsTruncated
      }
      return listed
    } catch (error) {
      throw unavailable('list', error)
    }
  }

  async remove (id: DocumentId): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: bundleKey(id) }), { requestTimeout: this.#timeouts.answer })
    } catch (error) {
      throw unavailable('delete', error)
    }
  }

  async check (): Promise<void> {
    const problem = await this.#problem()
    if (problem === undefined) return
    const cause = harmless(problem)
    throw new RelayError('RELAY_STORE_UNAVAILABLE', `S3 bucket ${this.#place} cannot be used: ${cause.message}`, { cause })
  }

  async close (): Promise<void> { this.#client.destroy() }

  /**
   * Why the bucket cannot be used, if so. Lists a name that cannot exist: cheap everywhere, and unlike HeadBucket's the
   * refusal says what is wrong.
   */
  async #problem (): Promise<unknown> {
    const timeout = AbortSignal.timeout(this.#timeouts.check)
    try {
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: 'bundles/.check/', MaxKeys: 1 })
      await this.#client.send(command, { abortSignal: timeout })
    } catch (error) {
      return timeout.aborted ? new Error(`no answer in ${this.#timeouts.check} ms`) : error
    }
  }

  async * #read (Key: string, etag: string, range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (range.start === range.end) return // not to be said in a Range header
    let body: Readable | undefined
    try {
      const reply = await this.#client.send(new GetObjectCommand({
        Bucket: this.#bucket, Key, IfMatch: etag, Range: `bytes=${range.start}-${range.end - 1}`
      }), { abortSignal: signal, requestTimeout: this.#timeouts.answer })
      body = reply.Body as Readable
      if (reply.ETag !== etag) throw changed() // a server that does not know If-Match
      if (reply.ContentLength !== range.end - range.start) throw new Error('an answer of another length than asked for')
      yield * this.#patiently(body)
    } catch (error) {
      if (error instanceof RelayError) throw error
      const status = statusOf(error)
      throw status === 412 || status === 404 ? changed() : unavailable('read', error)
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

const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode

const firstLine = (error: unknown): string => messageOf(error).split('\n', 1).join()

/** In a word or two: `ECONNREFUSED`, `NoSuchBucket (404)`. */
const reasonOf = (error: unknown): string => {
  const name = codeOf(error) ?? (error instanceof Error && error.name !== 'Error' ? error.name : firstLine(error))
  const status = statusOf(error)
  return status === undefined ? name : `${name} (${status})`
}

/** An SDK error may carry the request and S3's account of how it was signed, with the access key: only words are kept. */
const harmless = (error: unknown): Error => {
  const [reason, words] = [reasonOf(error), firstLine(error)]
  return new Error(reason.startsWith(words) ? reason : `${reason}: ${words}`)
}

/** Clients may see the message, so it names no bucket; the cause tells more. */
const unavailable = (doing: string, error: unknown): RelayError =>
  new RelayError('RELAY_STORE_UNAVAILABLE', `cannot ${doing} the bundle: ${reasonOf(error)}`, { cause: harmless(error) })

const changed = (): RelayError => new RelayError('RELAY_BUNDLE_CHANGED', 'the bundle was replaced while it was being read')
