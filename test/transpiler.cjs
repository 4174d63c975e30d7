'use strict'
const { createHash } = require('node:crypto')
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs')
const path = require('node:path')

/**
 * What tap's loader compiles TypeScript with (`transpiler` of ts-node, set in tsconfig.json): TypeScript, but each version of a
 * file once only. Each test file is a process of its own, and hundreds of them compile the same files.
 */
exports.create = ({ service: { config, projectLocalResolveHelper }, nodeModuleEmitKind }) => {
  const typescript = projectLocalResolveHelper('typescript', true)
  const { version } = require(path.join(path.dirname(typescript), '..', 'package.json'))
  const compilerOptions = {
    ...config.options,
    module: nodeModuleEmitKind === 'nodecjs' ? 1 : 99, // CommonJS, ESNext
    rewriteRelativeImportExtensions: false
  }
  const kept = path.join(__dirname, '..', 'node_modules', '.cache', 'transpiled')
  const common = JSON.stringify([version, compilerOptions])
  mkdirSync(kept, { recursive: true })
  return {
    transpile (input, { fileName }) {
      const name = createHash('sha256').update(common).update(fileName).update('\0').update(input).digest('hex')
      const file = path.join(kept, `${name}.json`)
      try {
        return JSON.parse(readFileSync(file, 'utf8'))
      } catch (error) {
        if (error.code !== 'ENOENT') throw error
      }
      const { outputText, sourceMapText } = require(typescript).transpileModule(input, { fileName, compilerOptions })
      writeFileSync(`${file}.${process.pid}`, JSON.stringify({ outputText, sourceMapText }))
      renameSync(`${file}.${process.pid}`, file) // whole or not there: others read it meanwhile
      return { outputText, sourceMapText }
    }
  }
}
