import t from 'tap'
import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import Fastify from 'fastify'
import relay from '../../app.ts'
import { scratch } from '../scratch.ts'
import { circlesIn, sourceOf, sourcesIn, type Source } from './sources.ts'

t.test('imports go one way, those of types too', async t => {
  const expect = async (folder: string, forbidden: RegExp): Promise<void> => {
    for (const { file, mentions, text } of await sourcesIn(folder)) {
      for (const name of mentions) t.notMatch(name, forbidden, `${file} imports ${name}`)
      t.notMatch(text, /process\.env/, `${file} reads no environment`)
    }
  }
  await expect('lib', /^(fastify$|fastify-plugin|@fastify\/(?!busboy$)|ws$|app\.ts|plugins\/|routes\/|bin\/)/)
  await expect('plugins', /^(app\.ts|routes\/|plugins\/|bin\/)/)
  await expect('routes', /^(app\.ts|plugins\/|bin\/|routes\/)/)
  t.notMatch(await readFile('app.ts', 'utf8'), /process\.env/)
  // what the page takes of the relay are types, which are not there when it runs
  for (const { file, imports } of await sourcesIn('dashboard')) {
    for (const name of imports) t.notMatch(name, /^(lib|plugins|routes|bin|app\.ts)/, `${file} imports ${name}`)
  }
})

t.test('no files import each other in a circle', async t => {
  const all = (await Promise.all(['lib', 'plugins', 'routes', 'bin', 'dashboard'].map(sourcesIn))).flat()
  t.strictSame(circlesIn(all), [])
  const two = (file: string, other: string): Source => ({ file, text: '', imports: [], mentions: [other] })
  t.strictSame(
    circlesIn([two('a', 'b'), two('b', 'c'), two('c', 'b'), two('d', 'a')]), [['b', 'c']], 'one would be found'
  )
})

/** The parts of `lib/` as docs/architecture.md has them, from the bottom up. */
async function partsOfLib (): Promise<string[]> {
  const [, section] = /^## From the bottom up\n([^]*?)^## /m.exec(await readFile('docs/architecture.md', 'utf8'))!
  return [...section!.matchAll(/^\| (`[^|]+) \|/gm)].map(([, names]) => names!.replaceAll('`', ''))
}

t.test('a part of lib imports only from those below it', async t => {
  const parts = await partsOfLib()
  const placeOf = (file: string): number => {
    const place =
      parts.filter(part => file === `lib/${part}` || file.startsWith(`lib/${part}/`))
        .sort((a, b) => b.length - a.length)[0]
    // files of lib itself are the bottom, but for those named
    return parts.indexOf(place ?? (path.dirname(file) === 'lib' ? '*.ts' : ''))
  }
  for (const { file, mentions } of await sourcesIn('lib')) {
    const place = placeOf(file)
    t.ok(place >= 0, `${file} has a line in docs/architecture.md`)
    // what is off unless its options are given says so itself, wherever it is
    const isList = (name: string): boolean => file === 'lib/concerns.ts' && name.endsWith('/options.ts')
    for (const name of mentions.filter(name => name.startsWith('lib/') && !isList(name))) {
      t.ok(placeOf(name) <= place, `${file} (${parts[place]}) imports ${name} (${parts[placeOf(name)]})`)
    }
  }
})

/** One file for each concern, with its name; and what everything may use. */
const FLAT = new Set(['lib', 'plugins', 'routes', 'dashboard'])

t.test('no folder has more than 12 files', async t => {
  const counts = new Map<string, number>()
  for (const folder of ['lib', 'bin', 'plugins', 'routes', 'dashboard']) {
    for (const { file } of await sourcesIn(folder)) {
      counts.set(path.dirname(file), (counts.get(path.dirname(file)) ?? 0) + 1)
    }
  }
  for (const [folder, count] of counts) {
    t.ok(count <= 12 || FLAT.has(folder), `${folder} has ${count} files`)
  }
})

/** By the test that shows what they do, under another name. */
const TESTED_ELSEWHERE: Record<string, string[]> = {
  'test/plugins/not-found.test.ts': ['lib/http/scope.ts'],
  'test/app/client.test.ts': [
    'lib/client/frames.ts', 'lib/client/refused-opening.ts', 'lib/client/relay-client-adapter.ts',
    'lib/client/saveable.ts'
  ],
  'test/lib/feed/store/store.test.ts': ['lib/threads/job-thread.ts'],
  'test/lib/feed/command.test.ts': ['lib/feed/verbs.ts'],
  'test/lib/vault/command.test.ts': ['lib/vault/options.ts'],
  'test/app/full-log.test.ts': ['lib/log-stream.ts'],
  'test/app/embed.test.ts': ['lib/host.ts', 'lib/wasm/wasm-file.ts'],
  'test/app/tunnel-access.test.ts': ['lib/tasks/caller.ts', 'lib/tasks/offer-tasks.ts', 'lib/tasks/tunnel-error.ts'],
  'test/lib/storage/stored-documents.test.ts': ['lib/automerge/format/find-chunks.ts']
}

const concernOf = (file: string): string => file.replace(/\.ts$/, '').split('/').slice(0, 2).join('/')

t.test('each file of lib has its test: the one of its name, or one of who uses it in its concern', async t => {
  const [lib, tests, wires] = await Promise.all([
    sourcesIn('lib'), sourcesIn('test'), Promise.all(['plugins', 'routes', 'bin'].map(sourcesIn))
  ])
  const byFile = new Map(lib.map(source => [source.file, source]))
  const mirrors = new Set(tests.map(({ file }) => file.slice('test/'.length).replace('.test.ts', '.ts')))
  /** The concerns that a test of a plugin, a route or the whole app is named after. */
  const named = new Set(tests.flatMap(
    ({ file }) => /^test\/(?:plugins|routes|app)\/([\w-]+)\.test\.ts$/.exec(file)?.[1]!.split('-')[0] ?? []
  ))
  const tested = new Set(lib.filter(({ file }) => mirrors.has(file)).map(({ file }) => file))
  for (const { mentions } of tests) for (const name of mentions) if (byFile.has(name)) tested.add(name)
  for (const { file, mentions } of wires.flat()) {
    for (const name of mentions) {
      if (byFile.has(name) &&
        (named.has(path.basename(file, '.ts')) || named.has(path.basename(concernOf(name))))) tested.add(name)
    }
  }
  for (const file of tested) {
    for (const name of byFile.get(file)?.mentions ?? []) {
      if (concernOf(name) === concernOf(file) || path.dirname(name) === 'lib') tested.add(name)
    }
  }
  const elsewhere = new Map(Object.entries(TESTED_ELSEWHERE).flatMap(([test, files]) => files.map(file => [
    file, test
  ])))
  for (const { file, text } of lib) {
    if (hasBehaviour(text)) t.ok(tested.has(file) || elsewhere.has(file), `${file} has a test`)
  }
  for (const [file, test] of elsewhere) {
    t.ok(byFile.has(file) && tests.some(({ file }) => file === test), `${file} in ${test}`)
    t.notOk(tested.has(file), `${file} has no other test`)
  }
})

/** Whether it does something: a function or a class. */
const hasBehaviour = (text: string): boolean => /^\s*(export )?(async )?(function|class) |=>\s*(\{|\(|[^ ])/m.test(
  text.replace(/^export (type|interface)[^]*?\n(?=\n)/gm, '')
)

t.test('the pages name every file of their folders', async t => {
  const [architecture, engine] =
    await Promise.all(['docs/architecture.md', 'docs/engine.md'].map(async file => await readFile(file, 'utf8')))
  for (const { file } of await sourcesIn('plugins')) {
    t.match(architecture, `\`relay-${path.basename(file, '.ts')}\``, `${file} in docs/architecture.md`)
  }
  for (const { file } of await sourcesIn('lib/sync')) t.match(engine, `](../${file})`, `${file} in docs/engine.md`)
})

t.test('every plugin and route file is a named plugin of its own name', async t => {
  for (const folder of ['plugins', 'routes']) {
    for (const { file, text } of await sourcesIn(folder)) {
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

t.test('no line is over 120 characters', async t => {
  const roots = await Promise.all((await readdir('.')).filter(name => name.endsWith('.ts')).map(sourceOf))
  const folders = ['lib', 'plugins', 'routes', 'bin', 'dashboard', 'bench', 'docs', 'test']
  for (const { file, text } of [...roots, ...(await Promise.all(folders.map(sourcesIn))).flat()]) {
    const wide = text.split('\n').flatMap((line, n) => line.length > 120 ? [n + 1] : [])
    t.strictSame(wide, [], file)
  }
})

t.test('no source file is over 300 lines', async t => {
  for (const folder of ['lib', 'plugins', 'routes', 'bin', 'dashboard']) {
    for (const { file, text } of await sourcesIn(folder)) t.ok(text.split('\n').length <= 300, file)
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
    'relay-errors', 'relay-not-found', 'relay-host-header', 'relay-expectations', 'relay-methods', 'relay-cors',
    'relay-http', 'relay-metrics', 'relay-limits', 'relay-automerge', 'relay-objects', 'relay-storage', 'relay-sync',
    'relay-documents', 'relay-bundles', 'relay-wasm', 'relay-websocket', 'relay-requests', 'relay-access',
    'relay-health', 'relay-webhooks', 'relay-openapi', 'relay-routes-sync', 'relay-routes-wasm',
    'relay-routes-documents', 'relay-routes-bundles', 'relay-routes-health', 'relay-routes-metrics',
    'relay-routes-openapi', 'relay-routes-methods'
  ])
})
