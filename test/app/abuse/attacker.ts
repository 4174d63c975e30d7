// Attacks in a process of its own, so that whoever measures is not held up by it. Told by a message what to do.
import { attacks, type Force, type Target } from './attacks.ts'

process.once('disconnect', () => { process.exit(1) })
process.once('message', async ({ name, target, force }: { name: string, target: Target, force: Force }) => {
  process.send!(await attacks[name]!(target, force), () => { process.exit(0) })
})
