import t from 'tap'
import { parseTunnelOptions } from '../../../lib/tunnel/options.ts'

t.test('origins are read as everywhere: one that browsers would never send is refused, with a hint', async t => {
  const decides = () => true
  for (const corsOrigins of [
    ['*'], ['null'], ['https://app.example', /^https:/, 'http://localhost:5173'], [], decides
  ]) {
    t.equal(parseTunnelOptions({ corsOrigins }).corsOrigins, corsOrigins)
  }
  for (const origin of ['https://app.example/', 'app.example', 'https://App.example', '']) {
    t.throws(
      () => parseTunnelOptions({ corsOrigins: ['https://b.example', origin] }),
      { code: 'RELAY_BAD_OPTION', message: /tunnel\.corsOrigins: .* written like https:/ },
      origin
    )
  }
  for (const corsOrigins of ['*', [1], {}]) {
    t.throws(() => parseTunnelOptions({ corsOrigins } as never), { code: 'RELAY_BAD_OPTION' }, String(corsOrigins))
  }
})
