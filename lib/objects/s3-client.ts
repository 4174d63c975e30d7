import { S3Client, type GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { codeOf, messageOf } from '../errors.ts'
import type { S3Options } from './options.ts'

/**
 * All in ms and for one attempt, of which the SDK makes three (AWS_MAX_ATTEMPTS): `connect`; `answer`, the headers of a
 * reply or the next bytes of a body that is being read; `part`, to send 5 MiB. But `check` is for all attempts
 * together.
 */
export const S3_TIMEOUTS = { connect: 2_000, answer: 10_000, part: 60_000, check: 3_000 }

export type S3Timeouts = typeof S3_TIMEOUTS

/** A client of AWS's SDK that neither waits for ever nor asks of a server what only AWS's knows. */
export function createS3Client (options: S3Options, timeouts: S3Timeouts): S3Client {
  const { region, endpoint, accessKeyId, secretAccessKey, checksums } = options
  const agent = { maxSockets: Infinity } // by default 50: so many slow readers would keep out everyone else
  // the SDK adds checksums since January 2025, which many servers do not know and refuse; the signature covers the
  // bytes too
  const needed = (
    checksums ?? (endpoint === undefined ? 'supported' : 'required')
  ) === 'supported'
    ? 'WHEN_SUPPORTED'
    : 'WHEN_REQUIRED'
  return new S3Client({
    region,
    ...endpoint !== undefined && { endpoint, forcePathStyle: true },
    ...accessKeyId !== undefined && secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } },
    requestChecksumCalculation: needed,
    responseChecksumValidation: needed,
    expectContinueHeader: false, // with it, each part opens its own connection
    requestHandler: {
      connectionTimeout: timeouts.connect,
      requestTimeout: timeouts.part,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent
    }
  })
}

/** Where a bucket is, for people: without credentials in its URL. */
export const placeOf = ({ bucket, endpoint }: S3Options): string =>
  endpoint === undefined ? bucket : `${bucket} at ${endpoint.replace(/\/\/[^/]*@/, '//')}`

type Metadata = GetObjectCommandOutput['$metadata']

const metadataOf = (error: unknown): Partial<Metadata> =>
  (error as { $metadata?: Metadata } | undefined)?.$metadata ?? {}

/** The HTTP status that S3 answered, if it did. */
export const s3StatusOf = (error: unknown): number | undefined => metadataOf(error).httpStatusCode

/** Whether an attempt before this one may have been carried out and its answer lost. */
export const wasRepeated = (error: unknown): boolean => (metadataOf(error).attempts ?? 1) > 1

const firstLine = (error: unknown): string => messageOf(error).split('\n', 1).join()

/** In a word or two: `ECONNREFUSED`, `NoSuchBucket (404)`. */
export const reasonOf = (error: unknown): string => {
  const name = codeOf(error) ?? (error instanceof Error && error.name !== 'Error' ? error.name : firstLine(error))
  const status = s3StatusOf(error)
  return status === undefined ? name : `${name} (${status})`
}

/**
 * An SDK error may carry the request and S3's account of how it was signed, with the access key: only words are kept.
 */
export const harmless = (error: unknown): Error => {
  const [reason, words] = [reasonOf(error), firstLine(error)]
  return new Error(reason.startsWith(words) ? reason : `${reason}: ${words}`)
}
