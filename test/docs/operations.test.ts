import { readFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { start } from '../helper.ts'

const read = (file: string): string =>
  readFileSync(path.join(import.meta.dirname, '../../docs/operations', file), 'utf8')

/** The names that a relay exports, with those that a histogram makes of its own. */
async function exported (t: Test): Promise<Set<string>> {
  const { http } = await start(t, {
    tunnel: {},
    webhooks: [{ url: 'https://hooks.example', secret: 'at least sixteen characters' }],
    feed: { hosts: 'ws://127.0.0.1:9', hydrate: false },
    vault: { places: [{ id: 'here', kind: 'folder', path: '/nowhere' }] }
  })
  const text = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text()
  const names = new Set<string>()
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']) names.add(name! + suffix)
  }
  return names
}

const namesIn = (text: string): Set<string> => new Set(text.match(/\b(relay|process|nodejs)_[a-z_]+\b/g))

t.test('every figure in the dashboard and the alerts is one that a relay exports', async t => {
  const names = await exported(t)
  interface Dashboard { panels: Array<{ title: string, targets?: Array<{ expr: string }> }> }
  const dashboard = JSON.parse(read('grafana-dashboard.json')) as Dashboard
  const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  const rules = [...read('alerts.yml').matchAll(/^ +expr: (.+)$/gm)].map(match => match[1]!)
  t.ok(queries.length > 30)
  t.ok(rules.length > 10)
  for (const expr of [...queries, ...rules]) {
    t.ok(namesIn(expr).size > 0 || expr.startsWith('up{'), expr)
    for (const name of namesIn(expr)) t.ok(names.has(name), `${name} in ${expr}`)
    const [open, close] = [expr.match(/[({[]/g), expr.match(/[)}\]]/g)]
    t.equal(open?.length, close?.length, `${expr} is closed`)
  }
  t.equal(rules.length, read('alerts.yml').match(/- alert: /g)?.length)
  const shown = namesIn(queries.join(' '))
  const unshown =
    [...names].filter(name => name.startsWith('relay_') && !/_(bucket|sum|count)$/.test(name) && !shown.has(name))
  t.strictSame(
    unshown.filter(name => !/^relay_(info|storage_failing)$/.test(name)), [], 'the dashboard shows all there is'
  )
})

t.test('every figure is described', async t => {
  const text = read('observability.md')
  for (const name of await exported(t)) {
    const family = name.replace(/_(bucket|sum|count)$/, '')
    if (family.startsWith('relay_')) t.ok(text.includes(`\`${family}\``), family)
  }
})
