// A relay on a storage adapter, as a host has it, for the crash test:
//   node adapter-relay.js <port> --storage <folder> --adapter nodefs|s3 --place <folder or bucket>
import { parseArgs } from 'node:util'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import Fastify from 'fastify'
import relay from '../../../dist/app.js'
import { S3Objects } from '../../../dist/lib/objects/s3-objects.js'
import { ObjectChunks } from '../../../dist/lib/storage/chunks/object-chunks.js'

const { positionals: [port], values: { storage: folder, adapter: name, place } } = parseArgs({
  allowPositionals: true,
  options: { storage: { type: 'string' }, adapter: { type: 'string' }, place: { type: 'string' } }
})
const adapter = name === 's3'
  ? new ObjectChunks(new S3Objects({ bucket: place, region: 'eu-north-1', endpoint: process.env['TEST_S3_ENDPOINT'] }))
  : new NodeFSStorageAdapter(place)

const app = Fastify({ logger: true })
app.register(relay, { storage: { adapter, folder }, anyPath: true, closeTimeout: 500 })
app.log.info(`Tonk relay ready at ${await app.listen({ port: Number(port), host: '127.0.0.1' })}`)
process.once('SIGTERM', () => { app.close().then(() => process.exit(0)) })
