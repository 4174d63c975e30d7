import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'
import { Requests } from '../lib/requests/requests.ts'

declare module 'fastify' {
  interface FastifyInstance { requests: Requests }
}

/** Requests that are being answered when the relay closes get the time to be. */
async function requests (fastify: FastifyInstance, { closeTimeout }: Options): Promise<void> {
  const { log } = fastify
  const requests = new Requests()
  fastify.decorate('requests', requests)
  fastify.addHook('onRequest', ({ ws }, { raw }, done) => {
    if (!ws) {
      const leave = requests.enter()
      raw.once('finish', leave).once('close', leave) // the second alone, if nobody is there to be answered
    }
    done()
  })
  // after the event streams and the peers have been ended, before the server cuts what is left
  fastify.addHook('preClose', async () => {
    await requests.settle(closeTimeout)
    if (requests.size > 0) log.warn({ requests: requests.size }, 'closing before all requests are answered')
  })
}

export default fp(requests, {
  name: 'relay-requests', fastify: '5.x', dependencies: ['relay-documents', 'relay-websocket']
})
