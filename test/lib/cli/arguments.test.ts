import t, { type Test } from 'tap'
import { helpText, parseArguments } from '../../../lib/cli/arguments.ts'
import { settings } from '../../../lib/cli/settings.ts'

const flagsOf = (...argv: string[]) => {
  const command = parseArguments(argv)
  return command.name === 'start' ? command.flags : command.name
}
const refuses = (t: Test, argv: string[], message: string | RegExp) =>
  t.throws(() => parseArguments(argv), { code: 'RELAY_BAD_OPTION', message }, argv.join(' '))

t.test('nothing at all is fine', async t => {
  t.same(flagsOf(), {})
})

t.test('positionals are port, bundle and storage, as Tonk’s tools call a relay', async t => {
  t.same(flagsOf('8100', 'app.tonk', 'data'), { port: 8100, bundle: 'app.tonk', storage: 'data' })
  t.same(flagsOf('8100', 'app.tonk'), { port: 8100, bundle: 'app.tonk' })
})

t.test('flags and positionals mix in any order', async t => {
  t.same(flagsOf('--host', '::1', '8100', '--max-upload=5', 'app.tonk', '--no-cors'),
    { host: '::1', port: 8100, 'max-upload': 5, bundle: 'app.tonk', cors: false })
  t.same(flagsOf('--', '8100'), { port: 8100 })
})

/** One of them fits the pattern of every setting. */
const WORDS = ['text', 'http://localhost', 'folder/', '03:30']

t.test('every setting can be given as a flag, but secrets', async t => {
  for (const { flag, type, schema, isSecret } of settings) {
    if (isSecret) {
      t.throws(() => flagsOf(`--${flag}`, 'x'), /Unknown option/, flag)
      continue
    }
    const { enum: [choice] = [], pattern = '', minimum = 0, maximum = Infinity } =
      schema as { enum?: string[], pattern?: string, minimum?: number, maximum?: number }
    const word = choice ?? WORDS.find(word => new RegExp(pattern).test(word))!
    const text = type === 'integer' || type === 'number' ? String(Math.min(minimum + 7, maximum)) : word
    t.same(Object.keys(flagsOf(...type === 'boolean' ? [`--${flag}`] : [`--${flag}`, text])), [flag], flag)
  }
})

t.test('help and version win over everything but nonsense', async t => {
  t.equal(flagsOf('--help'), 'help')
  t.equal(flagsOf('-h', '8100', 'app.tonk'), 'help')
  t.equal(flagsOf('help'), 'help')
  t.equal(flagsOf('--version'), 'version')
  t.equal(flagsOf('-v'), 'version')
  refuses(t, ['--help', '--nonsense'], "Unknown option '--nonsense'")
})

t.test('what cannot be meant is refused by name', async t => {
  refuses(t, ['--prot', '8100'], "Unknown option '--prot', did you mean --port?")
  refuses(t, ['--no-cor'], "Unknown option '--no-cor', did you mean --cors?")
  refuses(t, ['-x'], "Unknown option '-x'")
  refuses(t, ['--port'], /'--port <value>' argument missing/)
  refuses(t, ['--port', '--host'], /'--port' argument is ambiguous/)
  refuses(t, ['--cors=maybe'], /'--cors'/)
  refuses(t, ['http'], '--port must be integer')
  refuses(t, ['8100', 'a', 'b', 'c'], 'unexpected argument "c"')
  refuses(t, ['8100', '--port', '8200'], 'port is given twice, as "8100" and as --port')
})

t.test('help names every flag, variable and default', async t => {
  const text = helpText()
  for (const { flag, variable, default: preset, isSecret } of settings) {
    const left = isSecret ? `\\(${variable}\\)` : `--(\\[no-\\])?${flag}`
    const line = text.split('\n').find(line => new RegExp(`^ {2}${left} `).test(line))
    t.ok(line?.includes(variable) && (preset === undefined || line.includes(`default ${preset}`)), flag)
  }
  t.match(text, /Usage: tonk-relay \[port\] \[bundle\] \[storage\]/)
})

t.test('work on a storage folder, by words that are no port', async t => {
  t.same(parseArguments(['backup', 'x.tar', '--storage', 'data']), {
    name: 'work', task: { verb: 'backup', words: ['x.tar'], own: {} }, flags: { storage: 'data' }
  })
  t.same(parseArguments(['--storage=data', 'restore', 'x']), {
    name: 'work', task: { verb: 'restore', words: ['x'], own: {} }, flags: { storage: 'data' }
  })
  t.same(parseArguments(['check', '--repair', '--json']), {
    name: 'work', task: { verb: 'check', words: [], own: { json: true, repair: true } }, flags: {}
  })
  t.same(parseArguments(['stat']), { name: 'work', task: { verb: 'stat', words: [], own: {} }, flags: {} })
  refuses(t, ['backup'], 'tonk-relay backup <folder|file.tar|vault>')
  refuses(t, ['restore', 'a', 'b'], 'tonk-relay restore <folder|file.tar|vault[:id]>')
  refuses(t, ['backup', 'a', '--json'], '--json goes with check or stat')
  refuses(t, ['stat', '--repair'], '--repair goes with check')
  refuses(t, ['check', 'a'], 'unexpected argument "a"')
  refuses(t, ['8100', '--repair'], '--repair goes with check')
  refuses(t, ['8100', 'backup', 'x', 'y'], 'unexpected argument "y"')
})
