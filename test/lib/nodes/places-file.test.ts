import t from 'tap'
import path from 'node:path'
import { parsePlaces, readPlaces } from '../../../lib/nodes/places-file.ts'
import { scratch } from '../../scratch.ts'

t.test('a list of places', async t => {
  const places = [
    { id: 'disk', kind: 'folder', path: '/srv/vault', domain: 'house', room: 1e9 },
    { id: 'b2', kind: 's3', bucket: 'vault', endpoint: 'https://s3.example' },
    { id: 'friend', kind: 'relay', url: 'https://relay.example', token: 'secret', readOnly: true }
  ]
  t.strictSame(parsePlaces(places), places)
  const folder = await scratch(t, { 'places.json': JSON.stringify(places), bad: '[' })
  t.strictSame(readPlaces(path.join(folder, 'places.json')), places)
  t.throws(() => readPlaces(path.join(folder, 'bad')), { code: 'RELAY_BAD_OPTION', message: /cannot be read as JSON/ })
  t.throws(() => readPlaces(path.join(folder, 'none')), { code: 'RELAY_BAD_OPTION' })
})

t.test('what is wrong with it is told, with its place in the list', async t => {
  const disk = { id: 'disk', kind: 'folder', path: '/srv/vault' }
  const bad = (places: unknown, message: RegExp): void => {
    t.throws(() => parsePlaces(places), { code: 'RELAY_BAD_OPTION', message })
  }
  bad({}, /not a list/)
  bad([], /not a list/)
  bad([disk, { ...disk, id: 'Two' }], /place 2 is not/)
  bad([{ ...disk, kind: 'tape' }], /place 1 is not/)
  bad([{ ...disk, pth: 'x' }], /place 1 is not/)
  bad([disk, disk], /two places disk/)
})
