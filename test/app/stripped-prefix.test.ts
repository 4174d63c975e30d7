import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { RelayOptions } from '../../app.ts'
import { start } from '../helper.ts'

/** The relay's address behind a proxy that takes `/outside` off, as nginx, Traefik and Caddy can. */
async function behind (t: Test, options: RelayOptions & { prefix?: string }): Promise<string> {
  const { http } = await start(t, options)
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url!.startsWith('/outside/')) {
      outgoing.writeHead(404).end('not the relay')
      return
    }
    const { method = 'GET', headers } = incoming
    incoming.pipe(request(`${http}${incoming.url!.slice('/outside'.length)}`, { method, headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    }))
  })
  t.teardown(() => proxy.close())
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/outside${options.prefix ?? ''}`
}

for (const prefix of [undefined, '/inside']) {
  t.test(`all that the relay says of where things are leads back (${prefix ?? 'on the root'})`, async t => {
    const at = await behind(t, { ...(prefix !== undefined && { prefix }), openapiUi: true, dashboard: true })
    const found = async (reference: string, base: string, init: RequestInit = {}) => {
      const response = await fetch(new URL(reference, base), init)
      t.equal(response.status, 200, `${reference} of ${base}`)
      return response
    }

    const made = await fetch(`${at}/api/documents?message=a/b`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"n":1}'
    })
    await found(made.headers.get('location')!, made.url)
    const history = `${at}/api/documents/${(await made.json() as { id: string }).id}/history?limit=1`
    t.equal((await fetch(history)).status, 200)

    const openapi = await found(`${at}/openapi.json`, at)
    const { servers: [server] } = await openapi.json() as { servers: Array<{ url: string }> }
    await found(`${server!.url}/health/ready`, openapi.url)

    const docs = await found(`${at}/docs`, at) // is sent on to where what it loads is beside it
    t.match(docs.url, /\/docs\/$/)
    const files = [...(await docs.text()).matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file]) => file!)
    t.ok(files.length > 3)
    for (const file of files) await found(file, docs.url)
    const description = await found('./json', docs.url)
    await found(
      `${(await description.json() as { servers: Array<{ url: string }> }).servers[0]!.url}/health/ready`,
      description.url
    )

    const dashboard = await found(`${at}/dashboard/`, at)
    for (const [, file] of (await dashboard.text()).matchAll(/(?:href|src)="([^"#]+)"/g)) {
      await found(file!, dashboard.url)
    }
  })
}
