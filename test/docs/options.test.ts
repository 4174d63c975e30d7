import { readFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { envExample, optionsTable, withTable } from '../../docs/options.ts'
import { settings } from '../../lib/cli/settings.ts'

const read = (file: string): string => readFileSync(path.join(import.meta.dirname, '../..', file), 'utf8')

t.test('the table has every setting', async t => {
  const table = optionsTable()
  t.equal(table.trimEnd().split('\n').length, settings.length + 2)
  for (const { flag, variable, isSecret } of settings) {
    t.ok(table.includes(`| ${isSecret ? '' : `\`--${flag}\``} | \`${variable}\` |`), flag)
  }
})

t.test('README.md and .env.example say what the schemas say (`npm run docs:options` makes them)', async t => {
  const readme = read('README.md')
  t.match(readme, /<!-- options -->\n[^]*<!-- \/options -->/)
  t.equal(readme, withTable(readme))
  t.equal(read('.env.example'), envExample())
})
