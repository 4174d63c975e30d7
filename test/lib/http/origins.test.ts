import t from 'tap'
import { Origins } from '../../../lib/http/origins.ts'

t.test('without a list every origin may', async t => {
  const origins = new Origins(undefined)
  t.ok(origins.areAll)
  t.ok(origins.allows('https://evil.example'))
})

t.test('those of the list may, and who is no page', async t => {
  const origins = new Origins('https://app.example, http://localhost:5173')
  t.notOk(origins.areAll)
  for (const origin of ['https://app.example', 'http://localhost:5173', undefined]) {
    t.ok(origins.allows(origin), String(origin))
  }
  for (
    const origin of ['https://app.example.evil.example', 'http://app.example', 'https://app.example:8443', 'null', '']
  ) t.notOk(origins.allows(origin), origin)
})

t.test('what is no origin is refused, with a hint', async t => {
  for (
    const [list, hint] of [
      ['https://app.example/', 'https://app.example'], ['https://app.example/path', 'https://app.example'],
      ['app.example', 'https://app.example'], ['HTTPS://App.Example', 'https://app.example'],
      ['*', 'https://app.example'], ['https://a.example,', 'https://app.example'],
      ['https://a.example:443', 'https://a.example']
    ] as const
  ) {
    t.throws(
      () => new Origins(list),
      { code: 'RELAY_BAD_OPTION', message: new RegExp(`^option origins: .* written like ${hint}$`) }, list
    )
  }
})
