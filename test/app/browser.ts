import { existsSync } from 'node:fs'
import type { Test } from 'tap'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
]

const executablePath = [process.env['CHROMIUM_PATH'], ...PLACES].find(path => path !== undefined && existsSync(path))

export const noBrowser = executablePath === undefined &&
  'no Chromium here: CHROMIUM_PATH names one, `.ci/chromium` installs one'

/** A headless Chromium that asks nothing of anybody but the page. */
export async function launch (t: Test): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: executablePath!,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'
    ]
  })
  t.teardown(async () => { await browser.close() })
  return browser
}

/** A page and everything it complains of: errors, warnings, what it asks of another origin than its own. */
export async function open (
  t: Test, browser: Browser, url: string, options: BrowserContextOptions = {}
): Promise<{ page: Page, complaints: string[] }> {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  t.teardown(async () => { await context.close() })
  const page = await context.newPage()
  const complaints: string[] = []
  const { host } = new URL(url)
  const outside = (address: string): void => {
    if (new URL(address).host !== host) {
      complaints.push(`asked for ${address}`)
    }
  }
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) {
      complaints.push(`${message.type()}: ${message.text()}`)
    }
  })
  page.on('pageerror', error => { complaints.push(`${error.message}\n${error.stack ?? ''}`) })
  page.on('request', request => { outside(request.url()) })
  page.on('websocket', socket => { outside(socket.url()) })
  await page.goto(url)
  return { page, complaints }
}
