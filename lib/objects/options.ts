import { Type, type Static } from 'typebox'

/** Settings of a bucket. Credentials come from the AWS SDK's own chain unless given. */
export const s3Schema = Type.Object({
  bucket: Type.String({ minLength: 1, description: 'Bucket that holds the bundles' }),
  region: Type.String({ minLength: 1, default: 'eu-north-1', description: 'Region of the bucket' }),
  endpoint: Type.Optional(Type.String({
    pattern: '^https?://', description: 'Any S3-compatible server; path-style requests are used when given'
  })),
  accessKeyId: Type.Optional(Type.String({ minLength: 1, description: 'Access key, with secretAccessKey' })),
  secretAccessKey: Type.Optional(Type.String({ minLength: 1, description: 'Secret key, with accessKeyId' }))
}, { additionalProperties: false })

export type S3Options = Static<typeof s3Schema>
