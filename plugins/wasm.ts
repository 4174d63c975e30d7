import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'
import { WasmFile } from '../lib/wasm/wasm-file.ts'

declare module 'fastify' {
  interface FastifyInstance { wasm: WasmFile }
}

/** The WASM of Tonk's client; a path that cannot be opened is told at the start. */
async function wasm (fastify: FastifyInstance, options: Options): Promise<void> {
  const file = new WasmFile(options.wasm)
  if (options.wasm !== undefined) await (await file.open()).close()
  fastify.decorate('wasm', file)
}

export default fp(wasm, { name: 'relay-wasm', fastify: '5.x' })
