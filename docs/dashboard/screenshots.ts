import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Repo, type PeerId } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import Fastify from 'fastify'
import { chromium } from 'playwright-core'
import relay from '../../app.ts'

// `npm run docs:dashboard` (with CHROMIUM_PATH): takes the pictures of docs/dashboard.md, of a relay with a few clients
// that edit.

const CLIENTS = 8
const WATCHED = 75_000 // ms until the plots have something to show

interface Notes { title: string, author: string, done: number, items: string[] }

const storage = await mkdtemp(path.join(os.tmpdir(), 'relay-dashboard-'))
const app = Fastify()
app.register(relay, { storage, dashboard: true })
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo
const repos = Array.from({ length: CLIENTS }, (_, n) =>
  new Repo({ peerId: `editor-${n + 1}` as PeerId, network: [new WebSocketClientAdapter(`ws://127.0.0.1:${port}`)] }))
const handles = repos.map((repo, n) => repo.create<Notes>({
  title: `Meeting notes ${n + 1}`, author: 'Ann', done: 0, items: ['agenda', 'decisions']
}))
await sleep(1_000)
for (const repo of repos) await repo.find(handles[0]!.url)

let turn = 0
const editing = setInterval(() => {
  turn++
  const busy = 1 + Math.round((1 + Math.sin(turn / 60)) * 2)
  for (const handle of handles.slice(0, busy)) {
    handle.change(d => { d.done++ }, { message: 'tick off', time: Math.floor(Date.now() / 1000) })
  }
}, 120)

const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu']
})
const dashboard = `http://127.0.0.1:${port}/dashboard`
const open = async (colorScheme: 'light' | 'dark', viewport: { width: number, height: number }, at: string) => {
  const page = await (await browser.newContext({ colorScheme, viewport, reducedMotion: 'reduce' })).newPage()
  await page.goto(`${dashboard}#/${at}`)
  return {
    page,
    take: async () =>
      await page.screenshot({
        path: path.join(
          import.meta.dirname, `${at === '' ? 'overview' : at.split('/')[0]!.replace(/s$/, '')}-${colorScheme}.png`
        )
      })
  }
}
const overview = await open('light', { width: 1280, height: 860 }, '')
const document = await open('dark', { width: 1280, height: 860 }, `documents/${handles[0]!.documentId}`)
await sleep(WATCHED)
for (const { take } of [overview, document]) await take()

clearInterval(editing)
await browser.close()
await app.close()
await rm(storage, { recursive: true })
process.exit(0) // the clients would try to come back
