import t from 'tap'
import { createHash } from 'node:crypto'
import { Tokens } from '../../../../lib/access/identity/tokens.ts'

const hash = (token: string) => createHash('sha256').update(token).digest('hex')
const shown = (token: string | undefined) => ({ token, headers: {}, url: '/', ip: '::1' })

t.test('each token stands for its principal, nothing else does', async t => {
  const { authenticate } = new Tokens(
    `ann:${hash('a-token')}, team:bob:${hash('b-token').toUpperCase()},ann:${hash('second')}`
  )
  t.strictSame(authenticate(shown('a-token')), { id: 'ann' })
  t.strictSame(authenticate(shown('second')), { id: 'ann' })
  t.strictSame(authenticate(shown('b-token')), { id: 'team:bob' })
  t.strictSame(
    new Tokens(`Rene\u0301:${hash('x')}`).authenticate(shown('x')), { id: 'Ren\u00e9' }, 'however its name is typed'
  )
  for (const token of [undefined, 'a-toke', 'a-token ', hash('a-token')]) t.equal(authenticate(shown(token)), null)
})

t.test('what is not hashed is refused and not repeated', async t => {
  for (const text of [
    'ann:geheim', 'geheim', `:${hash('x')}`, '', ',', `anonymous:${hash('x')}`, `*:${hash('x')}`, `a\u200b:${hash('x')}`
  ]) {
    t.throws(() => new Tokens(text), { code: 'RELAY_BAD_OPTION', message: /^option tokens: (?!.*geheim)/ }, text)
  }
})
