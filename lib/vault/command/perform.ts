import { createReadStream, createWriteStream } from 'node:fs'
import { text as textOf } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { DEFAULT_STORAGE, type Perform } from '../../concern.ts'
import { RelayError, codeOf } from '../../errors.ts'
import { silent } from '../../log.ts'
import { nodeJson } from '../http/answers.ts'
import { initVault } from '../init.ts'
import { ClusterKey } from '../keys/cluster-key.ts'
import { readKeyFile } from '../keys/key-file.ts'
import { fromRecoveryText, toRecoveryText } from '../keys/recovery-text.ts'
import { openNodes, openVault } from '../open.ts'
import type { VaultService } from '../service.ts'
import { parseVaultOptions, type VaultOptions, type VaultSettings } from '../settings.ts'
import { keyText, listText, peersText, repairText, scrubText } from './texts.ts'

/** What is stored is not all sound. */
const UNSOUND = 2

type Print = (text: string) => void
type Flags = Readonly<Record<string, string | boolean | undefined>>
interface Command {
  words: readonly [least: number, most: number]
  run (vault: VaultService, words: string[], flags: Flags, print: Print): Promise<number>
}

/** Those that work on what is stored. */
const commands: Readonly<Record<string, Command>> = {
  put: {
    words: [1, 2],
    run: async (vault, [file, name = file], { json }, print) => {
      const source = file === '-' ? process.stdin : createReadStream(file!)
      const { id, description, stored } = await vault.put(source, { kind: 'file', name: name! })
      print(json === true
        ? line({ id, stored, ...description })
        : `${id} ${name}: ${description!.size} bytes, ${stored} at all places\n`)
      return 0
    }
  },
  get: {
    words: [1, 2],
    run: async (vault, [text, file], _flags, print) => {
      const { bytes, description: { name, size } } = await vault.get(text!)
      if (file === undefined) {
        await pipeline(bytes, process.stdout, { end: false })
        return 0
      }
      try {
        await pipeline(bytes, createWriteStream(file, { flags: 'wx', flush: true }))
      } catch (cause) {
        if (codeOf(cause) !== 'EEXIST') throw cause
        throw new RelayError('RELAY_BAD_OPTION', `the file ${file} already exists`, { cause })
      }
      print(`${name}: ${size} bytes in ${file}\n`)
      return 0
    }
  },
  list: {
    words: [0, 0],
    run: async (vault, _words, { json }, print) => {
      const entries = await vault.list()
      print(json === true ? line(entries) : listText(entries))
      return 0
    }
  },
  info: {
    words: [1, 1],
    run: async (vault, [text], { json }, print) => {
      const { entry, segments } = await vault.info(text!)
      if (json === true) print(line({ ...entry, segments }))
      else {
        print(listText([entry]))
        for (const { number, places, isKept } of segments) {
          const where = places.map(ids => ids.join('+') || 'nowhere').join(' ')
          print(`segment ${number}: ${where}${isKept ? '' : ' (fewer domains than promised)'}\n`)
        }
      }
      return segments.every(({ isKept }) => isKept) ? 0 : UNSOUND
    }
  },
  forget: {
    words: [1, 1],
    run: async (vault, [id], _flags, print) => {
      await vault.forget(id!)
      print(`${id} is forgotten\n`)
      return 0
    }
  },
  scrub: {
    words: [0, 0],
    run: async (vault, _words, { json }, print) => {
      const report = await vault.scrub()
      print(json === true ? line(report) : scrubText(report))
      return report.damaged.length + report.missing.length + report.silent.length > 0 ? UNSOUND : 0
    }
  },
  repair: {
    words: [0, 1],
    run: async (vault, [id], { json, now }, print) => {
      const report = await vault.repair({ id, now: now === true })
      print(json === true ? line(report) : repairText(report))
      return Object.values(report.found).some(ids => ids.length > 0) ? UNSOUND : 0
    }
  },
  drill: {
    words: [0, 0],
    run: async (vault, _words, { json }, print) => {
      const report = await vault.drill()
      if (json === true) print(line(report))
      else if (report === null) print('the vault is empty: there is nothing to restore\n')
      else print(`${report.name}: ${report.bytes} bytes without ${report.without}, in ${report.ms} ms\n`)
      return 0
    }
  },
  peers: {
    words: [0, 0],
    run: async (vault, _words, { json }, print) => {
      await Promise.all(vault.nodes.map(async node => await node.probe()))
      const nodes = vault.nodes.map(nodeJson)
      print(json === true ? line(nodes) : peersText(nodes))
      return nodes.every(({ state, loss }) => state === 'active' && loss === 0) ? 0 : UNSOUND
    }
  }
}

/**
 * `tonk-relay vault …`: works on the places themselves, beside a running relay or without one.
 * @throws RelayError RELAY_BAD_OPTION, and those of what is done
 */
export const perform: Perform = async ({ words: [word = '', ...words], own }, given, print) => {
  const { vault: options, storage = DEFAULT_STORAGE } = given as { vault?: VaultOptions, storage?: string }
  if (options === undefined) throw refused('the vault needs --vault-places-file (RELAY_VAULT_PLACES_FILE)')
  const settings = parseVaultOptions(options, storage)
  if (word === 'init') {
    if (words.length > 0) throw refused('tonk-relay vault init')
    return await init(settings, print)
  }
  if (word === 'key') return await key(settings, words, print)
  const command = commands[word]
  if (command === undefined) throw refused(`vault ${word}: there are init, ${Object.keys(commands).join(', ')} and key`)
  const [least, most] = command.words
  if (words.length < least || words.length > most) {
    throw refused(`vault ${word} takes ${least === most ? least : `${least} to ${most}`} words`)
  }
  const vault = openVault(settings, { ...silent, warn: warned, error: warned })
  try {
    return await command.run(vault, words, own, print)
  } finally {
    await vault.close()
  }
}

async function init (settings: VaultSettings, print: Print, given?: ClusterKey): Promise<number> {
  const nodes = openNodes(settings)
  try {
    const key = await initVault(nodes, settings.keyFile, silent, given)
    print(keyText(settings.keyFile, toRecoveryText(key.bytes())))
    return 0
  } finally {
    await Promise.all(nodes.map(async node => { await node.close() }))
  }
}

async function key (settings: VaultSettings, [word, ...more]: string[], print: Print): Promise<number> {
  if (more.length > 0 || (word !== undefined && word !== 'restore')) throw refused('tonk-relay vault key [restore]')
  // never an argument: every process can read those
  if (word === 'restore') {
    return await init(settings, print, new ClusterKey(fromRecoveryText(await textOf(process.stdin))))
  }
  print(`${toRecoveryText((await readKeyFile(settings.keyFile)).bytes())}\n`)
  return 0
}

const warned = (_fields: object, message: string): void => { process.stderr.write(`tonk-relay: ${message}\n`) }
const line = (value: unknown): string => `${JSON.stringify(value)}\n`
const refused = (problem: string): RelayError => new RelayError('RELAY_BAD_OPTION', problem)
