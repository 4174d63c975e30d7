import { createHash } from 'node:crypto'
import { random } from '../../../fuzz.ts'
import { openLocalVault } from './local-vault.ts'

// Works on a vault until it is killed: `<id> <SHA-256>` for each object whose put was answered.

const [, , folder, seed] = process.argv as [string, string, string, string]
const below = random(Number(seed))
const { vault } = await openLocalVault(folder)

for (let n = 0; ; n++) {
  const plain = Uint8Array.from({ length: below(200_000) }, () => below(256))
  const { id } = await vault.put([plain], { kind: 'bundle', name: `${seed} ${n}` })
  process.stdout.write(`${id} ${createHash('sha256').update(plain).digest('hex')}\n`)
  switch (below(6)) {
    case 0: await vault.repair(); break
    case 1: await vault.scrub(); break
    case 2: await vault.collect()
  }
}
