import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

// `npm run build`: bundles the page into a folder, with names that change with the contents and a shell that names
// them.

const { dirname } = import.meta

/** What every file name but the shell's is like. */
const names = '[name]-[hash]'

/** The page's first document. Addresses are as seen from `<prefix>/dashboard`. */
const shell = (script: string, style: string, icon: string): string => `\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Relay dashboard</title>
<link rel="icon" href="dashboard/${icon}">
<link rel="stylesheet" href="dashboard/${style}">
<script type="module" src="dashboard/${script}"></script>
</head>
<body>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
`

/** Replaces the folder. The WASM and what needs it are files of their own, loaded when a document is looked at. */
export async function buildDashboard (folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { metafile } = await build({
    absWorkingDir: dirname,
    entryPoints: ['main.tsx', 'icon.svg'],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: ['chrome120', 'firefox120', 'safari17'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'none', // they are in the file of licences, all of them
    loader: { '.wasm': 'file', '.svg': 'copy' },
    entryNames: names,
    chunkNames: names,
    assetNames: names,
    metafile: true,
    logLevel: 'warning'
  })
  const outputs = Object.entries(metafile.outputs)
  const [script, { cssBundle }] = outputs.find(([, { entryPoint }]) => entryPoint === 'main.tsx')!
  const [icon] = outputs.find(([name]) => name.endsWith('.svg'))!
  writeFileSync(
    path.join(folder, 'index.html'), shell(path.basename(script), path.basename(cssBundle!), path.basename(icon))
  )
  writeFileSync(path.join(folder, 'licenses.txt'), licenses(Object.keys(metafile.inputs)))
}

/** The licences of the packages that files are from: they are to go with every copy. */
function licenses (inputs: string[]): string {
  const packages = new Set(
    inputs.map(input => /.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input)?.[0]).filter(folder => folder !== undefined)
  )
  return [...packages].sort().map(folder => {
    const root = path.join(dirname, folder)
    const { name, version, license } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    const file = readdirSync(root).find(name => /^licen[cs]e/i.test(name))
    const text = file === undefined ? '' : `\n${readFileSync(path.join(root, file), 'utf8').trim()}\n`
    return `${name} ${version} (${license})\n${text}`
  }).join(`\n${'-'.repeat(80)}\n\n`)
}

if (import.meta.filename === process.argv[1]) await buildDashboard(path.join(dirname, '../dist/dashboard'))
