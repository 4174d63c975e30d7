import t from 'tap'
import { isKept, place, type Candidate } from '../../../lib/vault/placement.ts'

const candidates = (domains: string[], free = 1e9): Candidate[] =>
  domains.map((domain, at) => ({ id: `${domain}-${at}`, domain, free }))
const all = (n: number): number[] => Array.from({ length: n }, (_, at) => at)
const domainsOf = (ids: string[]): string[] => ids.map(id => id.split('-')[0]!)

t.test('the promise holds for every geometry, or there is an error', async t => {
  let [placed, refused] = [0, 0]
  for (const [k, m] of [[1, 1], [2, 1], [4, 2], [8, 4], [5, 5], [10, 6]] as const) {
    for (const survive of [1, 2, 3]) {
      for (const domains of [1, 2, 3, 5, 8, 16]) {
        for (const each of [1, 2]) {
          const places = candidates(all(domains * each).map(at => `d${at % domains}`))
          const options = { k, m, survive, size: 10, wanted: all(k + m), candidates: places }
          try {
            const ids = place({ ...options, seed: 'seed' })
            placed++
            if (!isKept(domainsOf(ids), { k, m, survive })) t.fail(`${k}+${m} survive ${survive} on ${domains}x${each}`)
          } catch (error) {
            t.match(error, { code: 'RELAY_VAULT_UNHAPPY' })
            refused++
          }
        }
      }
    }
  }
  t.ok(placed > 50 && refused > 50, `${placed} placed, ${refused} refused`)
})

t.test('shards are spread evenly, and more room is filled more', async t => {
  const places = [...candidates(['a', 'b', 'c', 'd', 'e']), { id: 'f-5', domain: 'f', free: 4e9 }]
  const counts = new Map<string, number>()
  for (let n = 0; n < 300; n++) {
    const ids = place({ seed: `object ${n}`, k: 2, m: 1, survive: 1, size: 10, wanted: all(3), candidates: places })
    t.equal(new Set(domainsOf(ids)).size, 3)
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  t.ok(counts.get('f-5')! > 1.4 * counts.get('a-0')!, JSON.stringify([...counts]))
})

t.test('Storj 5391, 6537: repair places by the same rule as put', async t => {
  const places = candidates(['a', 'b', 'c', 'd'])
  const ids = place({ seed: 's', k: 8, m: 4, survive: 1, size: 10, wanted: all(12), candidates: places })
  const lost = all(12).filter(index => ids[index] === 'a-0')
  const held = all(12).filter(index => !lost.includes(index)).map(index => ids[index]!)
  const again = place({
    seed: 's',
    k: 8,
    m: 4,
    survive: 1,
    size: 10,
    wanted: lost,
    held: domainsOf(held),
    holders: held,
    candidates: places.slice(1)
  })
  t.ok(isKept(domainsOf([...held, ...again]), { k: 8, m: 4, survive: 1 }))
  t.notOk(isKept(['a', 'a', 'a', 'b', 'c'], { k: 3, m: 2, survive: 1 }), 'too many together are seen')
})

t.test('a place without room gets nothing', async t => {
  const places = [...candidates(['a', 'b', 'c']), { id: 'd-3', domain: 'd', free: 5 }]
  const ids = place({ seed: 's', k: 2, m: 1, survive: 1, size: 10, wanted: all(3), candidates: places })
  t.notOk(ids.includes('d-3'))
  const narrow = { seed: 's', k: 2, m: 1, survive: 1, size: 10, wanted: all(3), candidates: places.slice(1) }
  t.throws(() => place(narrow), {
    code: 'RELAY_VAULT_UNHAPPY', message: /needs 3 domains with room, and there are 2: b, c/
  })
})
