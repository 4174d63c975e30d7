// Hocuspocus with its defaults, and the simplest store that outlives the process: each document whole in one file, at
// its own pace (2 s after an edit, 10 s at most). It confirms edits before they are stored.
import { readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Server } from '@hocuspocus/server'
import * as Y from 'yjs'

const fileOf = name => path.join(process.env.DATA_DIR, `${encodeURIComponent(name)}.bin`)

const server = new Server({
  port: Number(process.env.PORT),
  address: '127.0.0.1',
  quiet: true,
  stopOnSignals: true,
  async onLoadDocument ({ documentName }) {
    return await readFile(fileOf(documentName)).catch(() => undefined) // a new one
  },
  async onStoreDocument ({ documentName, document }) {
    const file = fileOf(documentName)
    await writeFile(`${file}.tmp`, Y.encodeStateAsUpdate(document))
    await rename(`${file}.tmp`, file)
  }
})
await server.listen()
