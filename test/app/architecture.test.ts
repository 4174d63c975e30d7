import t from 'tap'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import Fastify from 'fastify'
import relay from '../../app.ts'
import { scratch } from '../scratch.ts'

async function sources (folder: string): Promise<Array<{ file: string, text: string, imports: string[] }>> {
  const names = (await readdir(folder, { recursive: true })).filter(name => /\.tsx?$/.test(name))
  return await Promise.all(names.map(async name => {
    const file = path.join(folder, name)
    const text = await readFile(file, 'utf8')
    const imports = [...text.matchAll(/^(?:import|export)\s(?!type)[^'"]*?from '([^']+)'|import\('([^']+)'\)/gm)].map(match => match[1] ?? match[2]!)
    return { file, text, imports: imports.map(name => name.startsWith('.') ? path.normalize(path.join(path.dirname(file), name)) : name) }
  }))
}

t.test('imports go one way', async t => {
  for (const { file, imports, text } of await sources('lib')) {
    for (const name of imports) t.notMatch(name, /^(fastify$|fastify-plugin|@fastify\/(?!busboy$)|ws$|app\.ts|plugins\/|routes\/|bin\/)/, `${file} imports ${name}`)
    t.notMatch(text, /process\.env/, `${file} reads no environment`)
  }
  for (const { file, imports, text } of await sources('plugins')) {
    for (const name of imports) t.notMatch(name, /^(app\.ts|routes\/|plugins\/|bin\/)/, `${file} imports ${name}`)
    t.notMatch(text, /process\.env/, `${file} reads no environment`)
  }
  for (const { file, imports, text } of await sources('routes')) {
    for (const name of imports) t.notMatch(name, /^(app\.ts|plugins\/|bin\/|routes\/)/, `${file} imports ${name}`)
    t.notMatch(text, /process\.env/, `${file} reads no environment`)
  }
  t.notMatch(await readFile('app.ts', 'utf8'), /process\.env/)
  // what the page takes of the relay are types, which are not there when it runs
  for (const { file, imports } of await sources('dashboard')) for (const name of imports) t.notMatch(name, /^(lib|plugins|routes|bin|app\.ts)/, `${file} imports ${name}`)
})

t.test('every plugin and route file is a named plugin of its own name', async t => {
  for (const folder of ['plugins', 'routes']) {
    for (const { file, text } of await sources(folder)) {
      const name = path.basename(file, '.ts')
      t.match(text, new RegExp(`fp\\(\\w+, \\{\\s*name: 'relay-${folder === 'routes' ? 'routes-' : ''}${name}'`), file)
      if (folder === 'routes') t.match(text, /encapsulate: true/, file)
    }
  }
})

t.test('what tests and CI call their own is no setting: the relay would not start with it', async t => {
  for (const folder of ['test', 'bench', '.ci']) {
    for (const name of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!name.isFile() || name.name === 'architecture.test.ts') continue
      t.notMatch(await readFile(path.join(name.parentPath, name.name), 'utf8'), /RELAY_(TEST|CI)_/, name.name)
    }
  }
})

t.test('no source file is over 300 lines', async t => {
  for (const folder of ['lib', 'plugins', 'routes', 'bin', 'dashboard']) {
    for (const { file, text } of await sources(folder)) t.ok(text.split('\n').length <= 300, file)
  }
})

t.test('the plugins, in the order they depend on each other', async t => {
  const storage = await scratch(t)
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  app.register(relay, { prefix: '/sync', storage })
  await app.ready()
  const order = [...app.printPlugins().matchAll(/(relay-[\w-]+)/g)].map(match => match[1])
  t.strictSame(order, [
    'relay-errors', 'relay-methods', 'relay-cors', 'relay-http', 'relay-metrics', 'relay-limits', 'relay-automerge', 'relay-objects', 'relay-storage', 'relay-sync', 'relay-documents', 'relay-bundles', 'relay-wasm',
    'relay-websocket', 'relay-requests', 'relay-access', 'relay-health', 'relay-webhooks', 'relay-openapi', 'relay-routes-sync', 'relay-routes-wasm', 'relay-routes-documents', 'relay-routes-bundles', 'relay-routes-health', 'relay-routes-metrics', 'relay-routes-openapi', 'relay-routes-methods'
  ])
})
