import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import * as Automerge from '@automerge/automerge'
import t from 'tap'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import WebSocket from 'ws'
import { connect } from '../client.ts'
import { start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { launch, noBrowser, open } from './browser.ts'

interface Notes { title: string, count: number }

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/** What axe-core finds wrong, in a line each. It runs beside the page's policy, as a tester's tools do. */
async function violations (page: Page): Promise<string[]> {
  const found = await page.evaluate<AxeResults>('axe.run()')
  return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`)
}

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true })

t.test('the dashboard in a browser', { skip: noBrowser }, async t => {
  const browser = await launch(t)

  t.test('shows a document as it changes, who is there, what was refused, what is in a bundle', async t => {
    const { http, ws } = await start(t, { dashboard: true, prefix: '/sync' })
    const body = await (await fetch(`${http}/sync/api/blank-tonk`)).arrayBuffer()
    const { id: bundle } =
      await (await fetch(`${http}/sync/api/bundles`, { method: 'POST', body })).json() as { id: string }
    const { repo, adapter } = connect(t, `${ws}/sync`)
    const handle = repo.create<Notes>({ title: 'Meeting notes', count: 1 })
    const { page, complaints } = await open(t, browser, `${http}/sync/dashboard`)
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor()
    t.match(await page.title(), /^Overview/)
    await page.getByText('Ready:').waitFor()

    await page.getByRole('link', { name: 'Connections' }).click()
    await page.getByRole('rowheader', { name: repo.peerId }).waitFor()
    await page.getByRole('link', { name: 'Documents' }).click()
    t.notOk(
      (await page.evaluate('performance.getEntriesByType("resource").map(({ name }) => name)') as string[]).some(
        name => name.endsWith('.wasm')
      ),
      'the WASM is not there yet'
    )
    await page.getByRole('link', { name: handle.documentId }).click()
    await heading(page, 'Document').waitFor()
    const contents = page.getByRole('region', { name: 'As JSON' })
    await contents.filter({ hasText: 'Meeting notes' }).waitFor()
    handle.change(d => { d.title = 'Decisions' }, { message: 'better named' })
    await contents.filter({ hasText: 'Decisions' }).waitFor()
    for (const head of Automerge.getHeads(handle.doc())) await page.getByText(head).waitFor()
    await page.getByRole('cell', { name: 'better named' }).waitFor()
    for (let n = 0; n < 25; n++) handle.change(d => { d.count++ })
    const changes = page.getByRole('navigation', { name: 'Pages of changes' })
    await changes.filter({ hasText: '1 to 20 of 27' }).waitFor()
    await changes.getByRole('button', { name: 'Next' }).click()
    await changes.filter({ hasText: '21 to 27 of 27' }).waitFor()
    await page.getByRole('button', { name: /^Show/ }).last().click()
    await contents.filter({ hasText: 'Meeting notes' }).waitFor()
    await page.getByRole('button', { name: 'Back to live' }).click()
    await contents.filter({ hasText: 'Decisions' }).waitFor()
    await page.getByRole('rowheader', { name: /^dashboard-/ }).waitFor()

    await page.getByRole('link', { name: 'Connections' }).click()
    await page.getByRole('rowheader', { name: /^dashboard-/ }).waitFor({ state: 'detached' })
    await page.getByRole('rowheader', { name: repo.peerId }).waitFor()
    adapter.connect = () => {}
    adapter.disconnect()
    await page.getByRole('rowheader', { name: repo.peerId }).waitFor({ state: 'detached' })

    const bad = new WebSocket(`${ws}/sync`)
    await once(bad, 'open')
    bad.send('no frame')
    await page.getByRole('link', { name: 'Refusals' }).click()
    const refused = page.getByRole('row')
      .filter({ has: page.getByRole('rowheader', { name: 'RELAY_FRAME_NOT_BINARY' }) })
    t.equal(await refused.getByRole('cell').nth(1).textContent(), '1')

    await page.getByRole('link', { name: 'Bundles' }).click()
    await page.getByRole('link', { name: bundle }).click()
    await heading(page, 'Bundle').waitFor()
    await page.getByRole('row').filter({ hasText: 'the root' }).getByRole('link', { name: bundle }).click()
    await heading(page, 'Document').waitFor()
    await page.getByRole('region', { name: 'As JSON' }).waitFor()
    t.strictSame(complaints, [])
  })

  t.test('is walked with the keyboard alone', async t => {
    const { http, ws } = await start(t, { dashboard: true })
    const { repo } = connect(t, ws)
    const handle = repo.create<Notes>({ title: 'Keys', count: 1 })
    const { page, complaints } = await open(t, browser, `${http}/dashboard`)
    await heading(page, 'Overview').waitFor()
    const focused = async (): Promise<string> => await page.evaluate('document.activeElement.innerText ?? ""')
    const press = async (key: string): Promise<string> => {
      await page.keyboard.press(key)
      return await focused()
    }
    t.equal(await press('Tab'), 'Skip to content')
    t.equal(await press('Enter'), 'Overview', 'the heading of the content')
    await page.reload()
    await heading(page, 'Overview').waitFor()
    for (const name of ['Skip to content', 'Overview', 'Connections', 'Documents']) t.equal(await press('Tab'), name)
    await page.keyboard.press('Enter')
    await heading(page, 'Documents').waitFor()
    t.equal(await focused(), 'Documents', 'the heading has the focus, and a reader says it')
    await page.keyboard.press('Tab')
    await page.keyboard.type(handle.documentId)
    await page.getByRole('link', { name: handle.documentId }).waitFor()
    t.equal(await page.getByRole('rowheader').count(), 1)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await page.locator('caption', { hasText: 'in memory' }).waitFor()
    await page.getByRole('link', { name: handle.documentId }).waitFor()
    await page.keyboard.press('Tab') // past "damaged only"
    t.equal(await press('Tab'), handle.documentId)
    t.ok(
      await page.evaluate(
        'document.activeElement.matches(":focus-visible") && getComputedStyle(document.activeElement).outlineStyle ' +
          '=== "solid"'
      ),
      'one sees where it is'
    )
    await page.keyboard.press('Enter')
    await heading(page, 'Document').waitFor()
    await page.getByText('"Keys"').waitFor()

    await page.getByRole('button', { name: 'Pause' }).focus()
    await page.keyboard.press('Space')
    await page.getByRole('status').filter({ hasText: 'Paused' }).waitFor()
    let asked = 0
    page.on('request', request => { if (request.url().includes('/dashboard/data/figures')) asked++ })
    handle.change(d => { d.title = 'Turned' })
    await page.waitForTimeout(2_500)
    t.equal(asked, 0)
    t.ok(await page.getByText('"Keys"').isVisible(), 'nothing moves')
    await page.keyboard.press('Space')
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor()
    await page.getByText('"Turned"').waitFor()
    await until(() => asked > 1)
    t.strictSame(complaints, [])
  })

  t.test('asks for a token where access is controlled', async t => {
    const hash = (token: string) => createHash('sha256').update(token).digest('hex')
    const rules = await scratch(t, {
      'rules.json': JSON.stringify({
        rules: [{ principals: ['op'], allow: ['administer', 'document:read', 'document:write', 'document:create'] }]
      })
    })
    const { http, ws } = await start(t, {
      dashboard: true, tokens: `op:${hash('secret')},ann:${hash('reader')}`, rules: `${rules}/rules.json`
    })
    const handle = connect(t, `${ws}/?token=secret`).repo.create<Notes>({ title: 'Secrets', count: 1 })
    const { page } = await open(t, browser, `${http}/dashboard`)
    await heading(page, 'Sign in').waitFor()
    await page.getByLabel('Token').fill('reader')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'Not allowed' }).waitFor()
    await page.getByLabel('Token').fill('secret')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await heading(page, 'Overview').waitFor()
    await page.evaluate(`location.hash = '#/documents/${handle.documentId}'`)
    await page.getByText('"Secrets"').waitFor()
    await page.getByRole('cell', { name: 'op', exact: true }).first().waitFor()

    const other = await open(t, browser, `${http}/dashboard?token=secret#/connections`)
    await heading(other.page, 'Connections').waitFor()
    await other.page.getByRole('cell', { name: 'op', exact: true }).first().waitFor()
    t.equal(other.page.url(), `${http}/dashboard#/connections`, 'the token is in no address that could be copied')
    t.strictSame(other.complaints, [])
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [name, viewport] of [
      ['wide', { width: 1280, height: 900 }], ['phone', { width: 360, height: 740 }]
    ] as const) {
      t.test(`is for everybody: ${colorScheme}, ${name}`, async t => {
        const { http, ws } = await start(t, { dashboard: true })
        const body = await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer()
        const { id: bundle } =
          await (await fetch(`${http}/api/bundles`, { method: 'POST', body })).json() as { id: string }
        const handle = connect(t, ws).repo.create<Notes>({ title: 'x'.repeat(2_000), count: 1 })
        const bad = new WebSocket(ws)
        await once(bad, 'open')
        bad.send('no frame')
        const { page, complaints } = await open(t, browser, `${http}/dashboard`, {
          colorScheme, viewport, bypassCSP: true
        })
        await page.addScriptTag({ path: axe })
        for (const [path, sign] of [
          ['', 'Ready:'], ['connections', '127.0.0.1'], ['documents', handle.documentId],
          [`documents/${handle.documentId}`, 'xxxx'],
          ['bundles', bundle], [`bundles/${bundle}`, 'the root'], ['refusals', 'RELAY_FRAME_NOT_BINARY']
        ] as const) {
          await page.evaluate(`location.hash = '#/${path}'`)
          await page.getByText(sign).first().waitFor()
          for (const summary of await page.locator('summary').all()) await summary.click()
          t.strictSame(await violations(page), [], path)
          t.equal(
            await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
            0,
            `${path || 'overview'} is no wider than the screen`
          )
        }
        t.strictSame(complaints, [])
      })
    }
  }
})
