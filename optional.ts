import type { FastifyPluginAsync, FastifyPluginCallback } from 'fastify'
import type { ConcernName } from './lib/concerns.ts'
import type { Options } from './lib/options.ts'

type Plugin = FastifyPluginAsync<Options> | FastifyPluginCallback<Options>
type Modules = () => Array<Promise<{ default: Plugin }>>

/** What is off unless its option says otherwise, by that option: what it registers, in this order, loaded only then. */
const optional: Record<ConcernName | 'dashboard', Modules> = {
  tunnel: () => [import('./plugins/tunnel.ts'), import('./plugins/tasks.ts'), import('./routes/tunnel.ts')],
  feed: () => [import('./plugins/feed.ts'), import('./routes/feed.ts'), import('./routes/feed-compatible.ts')],
  vault: () => [import('./plugins/vault.ts'), import('./routes/vault.ts')],
  dashboard: () => [import('./plugins/dashboard.ts'), import('./routes/dashboard.ts')]
}

/** The plugins and routes of all that is on. */
export async function loadOptional (options: Options): Promise<Plugin[]> {
  const names = Object.keys(optional) as Array<keyof typeof optional>
  const modules = await Promise.all(names.filter(name => Boolean(options[name])).flatMap(name => optional[name]()))
  return modules.map(({ default: plugin }) => plugin)
}
