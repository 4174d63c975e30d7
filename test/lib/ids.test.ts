import t from 'tap'
import { generateAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import { isDocumentId } from '../../lib/ids.ts'

t.test('every id automerge-repo makes is an id', async t => {
  for (let n = 0; n < 200; n++) {
    const { documentId } = parseAutomergeUrl(generateAutomergeUrl())
    if (!isDocumentId(documentId)) t.fail(documentId)
  }
  t.ok(isDocumentId('3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ'))
})

t.test('nothing else is', async t => {
  for (const value of [
    undefined, null, 7, {}, '', '..', '../../evil', 'automerge:3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ',
    '3X4Q62EiCtGYZ5W1RsLMSZV8WPRz', '3X4Q62EiCtGYZ5W1RsLMSZV8WPR', '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ\n',
    'storage-adapter-id', '__proto__', ['3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ']
  ]) t.notOk(isDocumentId(value), String(value))
})
