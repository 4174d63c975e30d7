import { writeSync } from 'node:fs'
import { destination, type DestinationStream } from 'pino'

const MAX_WAITING = 1024 * 1024 // bytes of lines that wait to be written; later ones are lost
const REPORT_INTERVAL = 60_000 // ms between two words about it
const STDERR = 2

/**
 * Where the log goes. A disk that is full, or any other error of it, neither ends nor delays the relay: lines wait for
 * the next one that can be written, some are lost if that takes long, and stderr is told once a minute.
 */
export function logStream (fd = 1): DestinationStream {
  const stream = destination({ dest: fd, sync: true, maxLength: MAX_WAITING })
  let lost = 0
  let told = -Infinity
  stream.on('drop', () => { lost++ })
  stream.on('error', error => {
    // of EPIPE pino sees to itself: nobody reads
    if (error.code === 'EPIPE' || performance.now() - told < REPORT_INTERVAL) return
    told = performance.now()
    try {
      writeSync(
        STDERR, `tonk-relay: the log cannot be written: ${error.message}${lost > 0 ? `; ${lost} lines are lost` : ''}\n`
      )
    } catch {} // then there is nowhere to tell it
  })
  return stream
}
