import t from 'tap'
import { parseDotenv } from '../../../lib/cli/dotenv.ts'

t.test('reads what people write', async t => {
  t.same(parseDotenv('# a comment\n\nPORT=8100\n  HOST = ::1  # here\nexport A=b\nEMPTY=\nURL=http://x/?a=b\n'),
    { PORT: '8100', HOST: '::1', A: 'b', EMPTY: '', URL: 'http://x/?a=b' })
  t.same(parseDotenv('A="two\nlines" # done\nB=\'x y\'\nC=`z`'), { A: 'two\nlines', B: 'x y', C: 'z' })
  t.same(parseDotenv('A=1\r\nB=2\r\n'), { A: '1', B: '2' })
  t.same(parseDotenv('\uFEFFA=1\nB=2'), { A: '1', B: '2' }, 'after a byte order mark')
  t.same(parseDotenv(''), {})
})

t.test('tells the line that is no assignment', async t => {
  for (const [text, line] of [
    ['PORT 8100', 1], ['A=1\n\nnonsense\nB=2', 3], ['A="two\nlines"\n= 5', 3], ['A=1\nB="never closed\nC=3', 2],
    ['\u0000\u0001\u0002', 1], ['PORT: 8100', 1]
  ] as const) {
    t.throws(
      () => parseDotenv(text),
      { code: 'RELAY_BAD_OPTION', message: `.env: line ${line} is not NAME=value` },
      JSON.stringify(text)
    )
  }
})
