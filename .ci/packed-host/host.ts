import Fastify from 'fastify'
import relay, { type BundleStore, type RelayOptions } from 'fastify-automerge-relay'

export const app = Fastify()

export const options: RelayOptions = { bundle: './app.tonk', storage: './data', maxUpload: 1024 }
app.register(relay, { prefix: '/sync', ...options })
app.register(relay)
app.register(relay, { prefix: '/s3', s3: { bucket: 'bundles' } })

declare const store: BundleStore
app.register(relay, { prefix: '/own', store })

// @ts-expect-error: a number
app.register(relay, { maxUpload: '1024' })
// @ts-expect-error: a bucket is needed
app.register(relay, { s3: {} })
