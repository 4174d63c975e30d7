import t from 'tap'
import { readFile } from 'node:fs/promises'
import { minVersion, satisfies } from 'semver'

type Names = Record<string, string>

/** A package as package-lock.json has it, and our own. */
interface Package {
  version: string
  dependencies?: Names
  optionalDependencies?: Names
  peerDependencies?: Names
  peerDependenciesMeta?: Record<string, { optional?: boolean }>
  engines?: { node?: string }
}

const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8')) as { packages: Record<string, Package> }

/** Where a package that is asked for at `from` lies, as Node finds it. */
function found (name: string, from: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf('node_modules/') - 1, 0))) {
    const place = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (place in packages) return place
    if (at === '') return undefined
  }
}

/** What a package needs, its optional peers too if `withOptional`. */
const needs = (
  { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta = {} }: Package, withOptional: boolean
): string[] =>
  Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
    .filter(name => withOptional || peerDependenciesMeta[name]?.optional !== true)

// yarn, and npm and pnpm with `engine-strict`, refuse an install where one package does not take the Node that is there
t.test('what is installed with the relay, and for its options, takes every Node that the relay takes', async t => {
  const oldest = minVersion(packages['']!.engines!.node!)!.version
  const versions = [oldest, '20.20.2', '22.23.3', '24.21.0'] // and those that the tests run on
  const seen = new Set<string>()
  const visit = (place: string): void => {
    for (const name of needs(packages[place]!, place === '')) {
      const next = found(name, place)
      if (next === undefined || seen.has(next)) continue // left out, for another platform
      seen.add(next)
      visit(next)
    }
  }
  visit('')
  t.ok(
    seen.has('node_modules/redis') && seen.has('node_modules/@redis/client'),
    'optional peers and what they need are among them'
  )
  t.notOk(seen.has('node_modules/tap'))
  for (const place of seen) {
    const { version, engines: { node = '*' } = {} } = packages[place]!
    t.strictSame(versions.filter(one => !satisfies(one, node)), [], `${place} ${version} takes ${node}`)
  }
})
