// automerge-repo's newest release with its own file storage behind a bare `ws` server: what the sync server would be
// with today's library. Plain JavaScript, so that no loader is part of what is measured.
import http from 'node:http'
import { WebSocketServer } from 'ws'
import { Repo } from '@automerge/automerge-repo'
import { WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'

const server = http.createServer((_request, response) => { response.end('ok') })
const repo = new Repo({
  network: [new WebSocketServerAdapter(new WebSocketServer({ server }))],
  storage: new NodeFSStorageAdapter(process.env.DATA_DIR),
  peerId: 'bench-server',
  sharePolicy: async () => false // as the sync server's: only what peers ask for by its id
})
server.listen(Number(process.env.PORT), '127.0.0.1', () => { console.log(repo.peerId) })
