import t from 'tap'
import { Stall } from '../../../lib/client/stall.ts'

t.test('a connection is dead when bytes wait, none leaves and nothing comes', async t => {
  const looks: Array<() => void> = []
  t.intercept(globalThis, 'setInterval', { value: (look: () => void) => { looks.push(look) } })
  let stalled = 0
  const socket = { bufferedAmount: 0 }
  const stall = new Stall(() => { stalled++ })
  stall.watch(socket)
  const look = (times: number): void => { for (let n = 0; n < times; n++) looks[0]!() }
  look(10)
  t.equal(stalled, 0, 'nothing waits')
  socket.bufferedAmount = 100
  look(3)
  stall.heard()
  look(3)
  socket.bufferedAmount = 50
  look(3)
  t.equal(stalled, 0, 'something came, and something left')
  look(2)
  t.equal(stalled, 1)
})
