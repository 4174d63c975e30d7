import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'

/**
 * What a worker thread runs, and how it is started: the path goes to Piscina as `filename`, the options to it or to
 * `Worker`.
 */
export interface ThreadFile {
  path: string
  options: { execArgv?: string[], env?: Record<string, string> }
}

/**
 * A thread's file, compiled or, from source, in TypeScript. Threads from source take over no loader of the process
 * (tsx's, tap's): Node may leave a thread that registers one waiting for ever. Node strips the types itself where it
 * can, else `require` does by a hook of tsx.
 * @param place the file without its ending: `new URL('./worker', import.meta.url)`
 */
export function threadFile (place: URL): ThreadFile {
  if (import.meta.url.endsWith('.js')) return { path: fileURLToPath(`${place.href}.js`), options: {} }
  const strips = Boolean(Reflect.get(process.features, 'typescript'))
  return {
    path: fileURLToPath(`${place.href}.ts`),
    options: {
      // those of the process and its NODE_OPTIONS name loaders
      execArgv: strips ? [] : ['--require', createRequire(import.meta.url).resolve('tsx/cjs')],
      env: {}
    }
  }
}

/** Starts a thread of its own from a file. @param place as of `threadFile` */
export function startThread (place: URL): Worker {
  const { path, options } = threadFile(place)
  // the first file of a thread goes past the hooks of `require`
  return path.endsWith('.js')
    ? new Worker(path)
    : new Worker(`require(${JSON.stringify(path)})`, { ...options, eval: true })
}
