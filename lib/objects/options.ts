import { Type, type Static } from 'typebox'

/**
 * Settings of a bucket. Every process can read a command line: credentials come from the AWS SDK's own chain unless a
 * host gives them.
 */
export const s3Schema = Type.Object({
  bucket: Type.String({ minLength: 1, variable: 'S3_BUCKET_NAME', description: 'Bucket that holds the bundles' }),
  region: Type.String({
    minLength: 1, default: 'eu-north-1', variable: 'AWS_REGION', description: 'Region of the bucket'
  }),
  endpoint: Type.Optional(Type.String({
    pattern: '^https?://',
    variable: 'AWS_ENDPOINT_URL_S3',
    description: 'Any S3-compatible server; path-style requests are used when given'
  })),
  checksums: Type.Optional(Type.Unsafe<'supported' | 'required'>({
    type: 'string',
    enum: ['supported', 'required'],
    description: 'The AWS SDK’s own checksums: wherever S3 supports them (`supported`, the default without an ' +
      'endpoint) or only where S3 requires them (`required`, the default with an endpoint, because many servers ' +
      'refuse them)'
  })),
  accessKeyId: Type.Optional(
    Type.String({ minLength: 1, hostOnly: true, description: 'Access key, with secretAccessKey' })
  ),
  secretAccessKey: Type.Optional(
    Type.String({ minLength: 1, hostOnly: true, description: 'Secret key, with accessKeyId' })
  )
}, { additionalProperties: false })

export type S3Options = Static<typeof s3Schema>
