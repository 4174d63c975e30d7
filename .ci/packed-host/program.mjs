// The installed program serves a bundle and the dashboard with its files, and ends on SIGTERM.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const child = spawn('node_modules/.bin/tonk-relay', ['0', 'blank.tonk', 'data', '--dashboard'], {
  stdio: ['ignore', 'pipe', 'inherit']
})
const exit = once(child, 'exit')
let url
for await (const line of createInterface(child.stdout)) {
  url = /ready at (http:\S+)/.exec(JSON.parse(line).msg)?.[1]
  if (url !== undefined) break
}
assert.match(await (await fetch(url)).text(), /Tonk/)
assert.equal((await fetch(`${url}/.manifest.tonk`)).status, 200)
const shell = await (await fetch(`${url}/dashboard`)).text()
for (const [, file] of shell.matchAll(/(?:src|href)="([^"]+)"/g)) {
  assert.equal((await fetch(new URL(file, `${url}/dashboard`))).status, 200, file)
}
assert.equal((await fetch(`${url}/dashboard/data/figures`)).status, 200)
child.stdout.resume()
child.kill('SIGTERM')
assert.deepEqual(await exit, [0, null])
console.log('packed-package: the program served a bundle and the dashboard, and stopped')
