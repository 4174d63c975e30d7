import { inspect } from 'node:util'
import t from 'tap'
import { Serializer } from '../../../../lib/tunnel/values/serializer.ts'
import { random } from '../../../fuzz.ts'
import { runner } from '../runner.ts'
import { anyGraph, anyValue, anyWire } from '../values.ts'

const { Serializer: Theirs } = runner()
const ours = new Serializer()
const theirs = new Theirs()

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 3000)

/** What came of it, comparable. */
function outcome (run: () => unknown): string {
  try {
    return inspect(run(), { depth: 20, sorted: true, compact: true, breakLength: Infinity })
      .replaceAll(/\n +at .*/g, '')
  } catch {
    return 'refused'
  }
}

/** Theirs makes invalid dates, and a Map or a Set of whatever can be iterated or is null. */
const tooLenient = (text: string): boolean => /"(Date|Map|Set)"/.test(text)

t.test('values are written as @bluelibs/runner writes them, and read back the same', async t => {
  const below = random(1)
  for (let n = 0; n < ROUNDS; n++) {
    const value = anyValue(below)
    const text = ours.stringify(value)
    if (text !== theirs.stringify(value)) t.equal(text, theirs.stringify(value), inspect(value))
    const read = outcome(() => ours.parse(text))
    if (read !== outcome(() => theirs.parse(text))) t.equal(read, outcome(() => theirs.parse(text)), text)
    if (ours.stringify(ours.parse(text)) !== text && !text.includes('__proto__')) {
      t.equal(ours.stringify(ours.parse(text)), text)
    }
  }
  t.comment(`${ROUNDS} values`)
})

for (const [name, any] of Object.entries({ texts: anyWire, graphs: anyGraph })) {
  t.test(`${name} are read as @bluelibs/runner reads them, or refused`, async t => {
    const below = random(2)
    const refused = { both: 0, ours: 0, none: 0 }
    for (let n = 0; n < ROUNDS; n++) {
      const text = JSON.stringify(any(below))
      const [mine, other] = [outcome(() => ours.parse(text)), outcome(() => theirs.parse(text))]
      if (mine === other) refused[mine === 'refused' ? 'both' : 'none']++
      else if (mine === 'refused' && tooLenient(text)) refused.ours++
      else t.equal(mine, other, text)
    }
    t.comment(refused)
    t.ok(refused.none > ROUNDS / 10 && refused.both > ROUNDS / 100, 'both kinds occurred')
  })
}

t.test('a graph may contain itself', async t => {
  const value = { name: 'x', list: [] as unknown[], map: new Map<string, unknown>() }
  value.list.push(value)
  value.map.set('self', value.map)
  const read = ours.parse(theirs.serialize(value)) as typeof value
  t.equal(read.list[0], read)
  t.equal(read.map.get('self'), read.map)
})

t.test('keys that reach a prototype are dropped both ways', async t => {
  const read =
    ours.parse('{"__proto__":{"x":1},"constructor":1,"prototype":2,"a":{"\\u005f_proto__":{"y":1},' +
      '"ok":1}}') as { x?: number, a: { y?: number } }
  t.strictSame(Object.keys(read), ['a'])
  t.equal(read.x, undefined)
  t.equal(read.a.y, undefined)
  t.equal(ours.stringify({ constructor: 1, ok: 2 }), '{"ok":2}')
  t.equal(ours.stringify(JSON.parse('{"__proto__":1,"ok":2}')), '{"ok":2}')
})

t.test('what cannot be sent throws', async t => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  for (const value of [circle, () => 1, { f () {} }, Symbol('unique'), { toJSON: () => 1 }, new Date(NaN)]) {
    t.throws(() => ours.stringify(value))
  }
  t.equal(
    ours.stringify([circle['none'], { same: [1] }, { same: [1] }]),
    '[{"__type":"Undefined","value":null},{"same":[1]},{"same":[1]}]'
  )
  const shared = [1]
  t.equal(ours.stringify(new Set([shared, [shared]])), '{"__type":"Set","value":[[1],[[1]]]}', 'twice is not a circle')
})

t.test('nesting ends at 1000 both ways, as theirs does', async t => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  const value = (depth: number): unknown => { let made: unknown = []; while (--depth > 0) made = [made]; return made }
  t.ok(ours.parse(nested(1001)))
  t.ok(theirs.parse(nested(1001)))
  t.throws(() => ours.parse(nested(1002)), RangeError)
  t.throws(() => theirs.parse(nested(1002)))
  t.equal(ours.stringify(value(1001)), theirs.stringify(value(1001)))
  t.throws(() => ours.stringify(value(1002)), RangeError)
  t.throws(() => ours.parse('{"__graph":true,"root":' + nested(1002) + ',"nodes":{}}'), RangeError)
  t.throws(() => ours.parse('['.repeat(200_000)), SyntaxError)
  t.throws(() => ours.parse(nested(500_000)), RangeError)
})

t.test('a number too long to be read in time is refused', async t => {
  const wire = (digits: number) => `{"__type":"BigInt","value":"-${'9'.repeat(digits)}"}`
  t.equal(ours.parse(wire(10_000)), theirs.parse(wire(10_000)))
  t.throws(() => ours.parse(wire(10_001)), /BigInt/)
})

t.test('an error is sent without its stack', async t => {
  const error = Object.assign(new TypeError('no', { cause: new Error('why') }), { code: 'E1', toString: () => '' })
  t.equal(ours.stringify(error), '{"__type":"Error","value":{"name":"TypeError","message":"no",' +
    '"customFields":{"code":"E1"},' +
    '"cause":{"__type":"Error","value":{"name":"Error","message":"why","customFields":{}}}}}')
  const read = theirs.parse(ours.stringify(error)) as Error & { code: string }
  t.match(read, { name: 'TypeError', message: 'no', code: 'E1', cause: { message: 'why' } })
  const back = ours.parse(theirs.stringify(error)) as Error & { code: string }
  t.match(back, { name: 'TypeError', message: 'no', code: 'E1', stack: error.stack!, cause: { message: 'why' } })
})

t.test('types of one’s own', async t => {
  class Money {
    readonly amount: bigint
    readonly currency: string
    constructor (amount: bigint, currency: string) {
      this.amount = amount
      this.currency = currency
    }
  }
  const type = {
    id: 'Money',
    is: (value: unknown) => value instanceof Money,
    serialize: ({ amount, currency }: Money) => ({ amount, currency }),
    deserialize: ({ amount, currency }: { amount: bigint, currency: string }) => new Money(amount, currency)
  }
  const [mine, other] = [new Serializer().addType(type), new Theirs()]
  other.addType(type)
  const text = mine.stringify({ price: new Money(5n, 'EUR') })
  t.equal(text, other.stringify({ price: new Money(5n, 'EUR') }))
  t.strictSame(mine.parse(text), { price: new Money(5n, 'EUR') })
  t.throws(() => mine.addType(type), /exists already/)
  t.throws(() => ours.parse(text), /unknown type/)
})

t.test('what JSON can write alone, it does', async t => {
  for (const value of [null, 'x', 1.5, true, [], {}, [1, { a: [null] }], Object.create(null)]) {
    t.equal(ours.stringify(value), JSON.stringify(value))
  }
  class Point { x = 1; y = 2 }
  t.equal(ours.stringify(new Point()), '{"x":1,"y":2}')
  t.equal(ours.stringify({ a: undefined, b: [undefined, , 1] }), // eslint-disable-line no-sparse-arrays
    '{"a":{"__type":"Undefined","value":null},"b":[{"__type":"Undefined","value":null},{"__type":"Undefined",' +
      '"value":null},1]}')
})
