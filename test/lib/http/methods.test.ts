import t from 'tap'
import { Methods } from '../../../lib/http/methods.ts'

t.test('methods of a path add up, until they are complete', async t => {
  const methods = new Methods()
  methods.declare('/a', ['GET', 'HEAD'])
  methods.declare('/b', ['POST'])
  methods.declare('/a', ['DELETE'])
  t.same(methods.complete(), [['/a', new Set(['GET', 'HEAD', 'DELETE'])], ['/b', new Set(['POST'])]])
  t.throws(() => methods.declare('/c', ['GET']), { message: /^GET \/c is declared after relay-routes-methods/ })
})
