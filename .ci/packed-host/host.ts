import type { AutomergeUrl } from '@automerge/automerge-repo'
import Fastify from 'fastify'
import relay, { createRelay, type BundleStore, type Relay, type RelayOptions } from 'fastify-automerge-relay'

export const app = Fastify()

export const options: RelayOptions = { bundle: './app.tonk', storage: './data', maxUpload: 1024 }
app.register(relay, { prefix: '/sync', ...options })
app.register(relay)
app.register(relay, { prefix: '/s3', s3: { bucket: 'bundles' } })

declare const store: BundleStore
app.register(relay, { prefix: '/own', store })

export const notes: Relay = createRelay()
app.register(notes.plugin, { prefix: '/notes', ...options })
app.get<{ Params: { url: AutomergeUrl } }>('/title/:url', async ({ params }) => {
  const handle = await notes.repo.find<{ title: string }>(params.url)
  const saved: Uint8Array | null = await notes.sync.snapshot(handle.documentId)
  return { title: handle.doc().title, size: saved?.length, slim: (await notes.bundles.slim(handle.documentId)).etag }
})
// @ts-expect-error: it is the relay’s to make
notes.repo = undefined

// @ts-expect-error: a number
app.register(relay, { maxUpload: '1024' })
// @ts-expect-error: a bucket is needed
app.register(relay, { s3: {} })
