import { readFileSync, writeFileSync } from 'node:fs'
import { settings, type Setting } from '../lib/cli/settings.ts'
import { optionsSchema } from '../lib/options.ts'

// `npm run docs:options`: writes the options table of README.md and .env.example from the option schemas.

const MARKED = /(<!-- options -->\n)[^]*?(<!-- \/options -->)/
const INTRODUCTION = `\
# Settings of tonk-relay, each with its default. Copy to .env in the folder it is started in, and uncomment what you
# change.
# S3 credentials are found as the AWS SDK finds them; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY may be set here too.
`

const code = (text: unknown): string => `\`${text}\``

/** The name in `app.register(relay, …)`; the server’s own settings have none: there the host decides. */
const optionOf = ({ group, name }: Setting): string =>
  group === 'server' ? '' : code(group === 'relay' ? name : `${group}.${name}`)

/** In a host; the executable's differ only where the meaning says so. */
const presetOf = ({ group, name, default: preset }: Setting): unknown =>
  group === 'relay' ? (optionsSchema.properties as Record<string, { default?: unknown }>)[name]!.default : preset

/** Markdown: one row per setting. */
export function optionsTable (): string {
  const rows = settings.map(setting => {
    const preset = presetOf(setting)
    return [
      optionOf(setting), setting.isSecret ? '' : code(`--${setting.flag}`), code(setting.variable),
      preset === undefined ? '' : code(preset), setting.description
    ]
  })
  return [['Option', 'Flag', 'Environment', 'Default', 'Meaning'], ['---', '---', '---', '---', '---'], ...rows]
    .map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

export const envExample = (): string => INTRODUCTION + settings.map(({ variable, default: preset, description }) =>
  `\n# ${description.replaceAll('`', '')}\n#${variable}=${preset ?? ''}\n`).join('')

/** The text with a fresh table between its markers. */
export const withTable = (readme: string): string =>
  readme.replace(MARKED, (_, start: string, end: string) => start + optionsTable() + end)

if (import.meta.filename === process.argv[1]) {
  writeFileSync('README.md', withTable(readFileSync('README.md', 'utf8')))
  writeFileSync('.env.example', envExample())
}
