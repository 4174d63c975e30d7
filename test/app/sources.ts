import { readFile, readdir } from 'node:fs/promises'
import path from 'node:path'

export interface Source {
  file: string
  text: string
  /** What it imports when it runs: packages by name, files by their path */
  imports: string[]
  /** The same, and what it imports for its types */
  mentions: string[]
}

const IMPORTS = new RegExp([
  /^(?:import|export)\s(type\s)?[^'"]*?from '([^']+)'/,
  /import\('([^']+)'\)/,
  /new URL\(['`](\.[^'`]+)['`], import\.meta\.url\)/
].map(({ source }) => source).join('|'), 'gm')

/** The TypeScript files below a folder. */
export async function sourcesIn (folder: string): Promise<Source[]> {
  const names = (await readdir(folder, { recursive: true })).filter(name => /\.tsx?$/.test(name)).sort()
  return await Promise.all(names.map(async name => await sourceOf(path.join(folder, name))))
}

export async function sourceOf (file: string): Promise<Source> {
  const text = await readFile(file, 'utf8')
  const found = [...text.matchAll(IMPORTS)].map(([, type, from, dynamic, worker]) => ({
    type, name: resolved(file, (from ?? dynamic ?? worker)!)
  }))
  return {
    file,
    text,
    imports: found.filter(({ type }) => type === undefined).map(({ name }) => name),
    mentions: found.map(({ name }) => name)
  }
}

/** A worker is named `worker.js`, or `worker.${extension}`. */
const resolved = (file: string, name: string): string => name.startsWith('.')
  ? path.normalize(path.join(path.dirname(file), name)).replace(/\.(js|\$\{.*)$/, '.ts')
  : name

/** Those that import each other in a circle, each circle sorted (Tarjan's strongly connected components). */
export function circlesIn (sources: Source[]): string[][] {
  const graph = new Map(sources.map(({ file, mentions }) => [file, mentions]))
  const [places, lowest, stack, circles] = [
    new Map<string, number>(), new Map<string, number>(), [] as string[], [] as string[][]
  ]
  const visit = (file: string): void => {
    places.set(file, places.size)
    lowest.set(file, places.get(file)!)
    stack.push(file)
    for (const next of graph.get(file)!.filter(name => graph.has(name))) {
      if (!places.has(next)) visit(next)
      if (stack.includes(next)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(next)!))
    }
    if (lowest.get(file) !== places.get(file)) return
    const circle = stack.splice(stack.indexOf(file))
    if (circle.length > 1) circles.push(circle.sort())
  }
  for (const file of graph.keys()) if (!places.has(file)) visit(file)
  return circles
}
