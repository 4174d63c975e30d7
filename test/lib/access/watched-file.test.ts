import { rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { WatchedFile } from '../../../lib/access/watched-file.ts'
import { silent } from '../../../lib/log.ts'
import { until } from '../../helper.ts'
import { scratch } from '../../scratch.ts'

t.test('what cannot be read when it has changed is read as soon as it can be', async t => {
  const folder = await scratch(t, { settings: 'old' })
  const file = path.join(folder, 'settings')
  const errors: string[] = []
  const log = { ...silent, error: (_facts: object, message: string) => { errors.push(message) } }
  const watched = new WatchedFile({ option: 'rules', file, parse: text => text, changed: () => {}, log })
  t.teardown(() => { watched.close() })
  await writeFile(path.join(folder, 'new'), 'new')
  await rm(file)
  await until(() => errors.length === 1)
  t.match(errors[0], /ENOENT.*stays in force/)
  t.equal(watched.value, 'old')
  await rename(path.join(folder, 'new'), file)
  await until(() => watched.value === 'new')
  t.equal(errors.length, 1, 'told once')
})
