import t from 'tap'
import { parseJson, readText } from '../../lib/settings-file.ts'
import { scratch } from '../scratch.ts'

t.test('a byte order mark is no part of the text', async t => {
  const folder = await scratch(t, { marked: '\uFEFF{}', plain: 'a\uFEFFb' })
  t.equal(readText(`${folder}/marked`), '{}')
  t.equal(readText(`${folder}/plain`), 'a\uFEFFb')
})

t.test('UTF-16 is refused by its name', async t => {
  const folder = await scratch(t, {
    little: Buffer.from('\uFEFF{}', 'utf16le'), big: Buffer.from([0xfe, 0xff, 0, 0x7b])
  })
  for (const name of ['little', 'big']) t.throws(() => readText(`${folder}/${name}`), { message: /UTF-16/ }, name)
})

t.test('what is no JSON is not repeated', async t => {
  t.same(parseJson('[1]'), [1])
  for (const text of ['{ "secret": geheim }', '{ "secret": "geheim" ', 'geheim', '']) {
    t.throws(() => parseJson(text), { message: /^is not valid JSON(?!.*geheim)/ }, text)
  }
})
