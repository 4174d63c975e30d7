import path from 'node:path'
import t from 'tap'
import { buildDashboard } from '../../../dashboard/build.ts'
import { Page } from '../../../lib/dashboard/page.ts'
import { scratch } from '../../scratch.ts'

t.test('the shell names files that are there, each with a hash in its name, and nothing from elsewhere', async t => {
  const folder = path.join(await scratch(t), 'dashboard')
  await buildDashboard(folder)
  const page = await Page.open(folder)
  const shell = Buffer.from(page.shell.bytes).toString()
  const named = [...shell.matchAll(/(?:src|href)="dashboard\/([^"]+)"/g)].map(([, name]) => name!)
  t.equal(named.length, 3)
  for (const name of named) {
    t.match(name, /-[A-Z0-9]{8}\.(js|css|svg)$/)
    t.ok(page.file(name), name)
  }
  t.notMatch(shell, /https?:|<script>|style=|onload/)
  t.ok(
    page.file(named.find(name => name.endsWith('.js'))!)!.bytes.length < 150_000, 'the WASM is not in what comes first'
  )
  t.equal(page.file('index.html'), undefined)
  t.equal(page.file('licenses.txt'), undefined)
  t.equal(page.file('../package.json'), undefined)
})

t.test('a page that has not been built is told of', async t => {
  await t.rejects(Page.open(await scratch(t)), { code: 'RELAY_BAD_OPTION', message: /npm run build/ })
  await t.rejects(Page.open('/nowhere'), { code: 'RELAY_BAD_OPTION', message: /npm run build/ })
})
