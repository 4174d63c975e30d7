import type { IncomingMessage } from 'node:http'
import { PassThrough, type Readable } from 'node:stream'
import { Busboy, type BusboyHeaders } from '@fastify/busboy'
import { refusal, type TunnelError } from '../errors.ts'
import { InputFile, type FileMeta } from './input-file.ts'

export interface FormLimits {
  /** bytes of one file */
  maxFile: number
  maxFiles: number
  maxFields: number
  /** bytes of one field, the manifest among them, and of a file that comes before the manifest */
  maxField: number
}

/** Reads the manifest's text; `file` makes the file of an id in it. Throws a TunnelError. */
export type ReadManifest = (text: string, file: (id: string, meta: FileMeta) => InputFile) => unknown

const MANIFEST = '__manifest'
const FILE = 'file:'

class Upload {
  readonly file: InputFile
  readonly bytes: PassThrough
  /** The manifest speaks of it. */
  isPromised = false
  hasArrived = false

  constructor (highWaterMark?: number) {
    this.bytes = new PassThrough(highWaterMark === undefined ? {} : { highWaterMark })
    this.bytes.on('error', () => {}) // whoever reads it is told; nobody has to
    this.file = new InputFile(this.bytes)
  }
}

/**
 * A multipart form with a manifest (the tunnel wire of `@bluelibs/runner`): a field `__manifest` with the input, in
 * which each file stands as `{"$runnerFile":"File","id",…}`, and a part `file:<id>` for each. Read as it arrives: the
 * task starts with the manifest, and its files are streams.
 */
export class Form {
  /** What the manifest was read as. Rejects with what is wrong. */
  readonly input: Promise<unknown>
  /** Settles when all of it has arrived; rejects with what is wrong. */
  readonly end: Promise<void>
  readonly #request: IncomingMessage
  readonly #limits: FormLimits
  readonly #parser: InstanceType<typeof Busboy>
  readonly #read: ReadManifest
  readonly #uploads = new Map<string, Upload>()
  #hasManifest = false
  #accept!: (input: unknown) => void
  #finish!: () => void
  #reject!: (error: TunnelError) => void

  /** @throws TunnelError INVALID_MULTIPART for a content type without a boundary */
  constructor (request: IncomingMessage, limits: FormLimits, read: ReadManifest) {
    this.#request = request
    this.#limits = limits
    this.#read = read
    this.#parser = newParser(request, limits)
    const failed = new Promise<never>((resolve, reject) => { this.#reject = reject })
    this.input = Promise.race([failed, new Promise<unknown>(resolve => { this.#accept = resolve })])
    this.end = Promise.race([failed, new Promise<void>(resolve => { this.#finish = resolve })])
    for (const promise of [this.input, this.end]) promise.catch(() => {}) // each is awaited in its turn, or no more
    this.#listen()
    request.pipe(this.#parser)
  }

  /** Lets go what nobody reads, now that the task has settled. */
  drain (): void {
    for (const { file, bytes } of this.#uploads.values()) if (!file.isTaken) bytes.resume()
  }

  /** Ends with an error: whoever reads a file gets it too. */
  fail (error: TunnelError): void {
    this.#request.unpipe(this.#parser)
    for (const { bytes } of this.#uploads.values()) if (!bytes.readableEnded) bytes.destroy(error)
    this.#reject(error)
  }

  #listen (): void {
    const tooMany = (what: string) => () => { this.fail(refusal('PAYLOAD_TOO_LARGE', `${what} limit exceeded`)) }
    this.#request.once('error', () => { this.fail(refusal('REQUEST_ABORTED')) })
    this.#parser
      .on('field', (name, value, isNameCut, isCut) => {
        if (isNameCut || isCut) this.fail(refusal('PAYLOAD_TOO_LARGE', 'Field limit exceeded'))
        else if (name === MANIFEST && !this.#hasManifest) this.#takeManifest(value)
      })
      .on('file', (name, bytes, filename, _encoding, type) => { this.#takeFile(name, bytes, { name: filename, type }) })
      .on('filesLimit', tooMany('Files'))
      .on('fieldsLimit', tooMany('Fields'))
      .on('error', () => { this.fail(refusal('INVALID_MULTIPART')) })
      .on('finish', () => { this.#complete() })
  }

  /** At once: what comes behind it may be in the same chunk. */
  #takeManifest (text: string): void {
    try {
      const input = this.#read(text, (id, meta) => this.#promise(id, meta))
      this.#hasManifest = true
      this.#accept(input)
    } catch (error) {
      this.fail(error as TunnelError)
    }
    for (const { isPromised, bytes } of this.#uploads.values()) if (!isPromised) bytes.resume()
  }

  #promise (id: string, meta: FileMeta): InputFile {
    const upload = this.#uploadOf(id)
    upload.isPromised = true
    upload.file.describe(meta)
    return upload.file
  }

  #takeFile (name: string | undefined, source: Readable, meta: { name: string, type: string }): void {
    const id = name?.startsWith(FILE) ? name.slice(FILE.length) : undefined
    source.on('error', () => { this.fail(refusal('INVALID_MULTIPART')) })
    const isUnknown = id === undefined || (this.#hasManifest && !this.#uploads.has(id))
    if (isUnknown || this.#uploads.get(id)?.hasArrived === true) {
      source.resume()
      return
    }
    const upload = this.#uploadOf(id)
    const { file, bytes } = upload
    upload.hasArrived = true
    file.describe({
      ...(file.name === 'upload' && meta.name !== undefined && { name: meta.name }),
      ...(file.type === undefined && { type: meta.type })
    })
    source.on('limit', () => { this.fail(refusal('PAYLOAD_TOO_LARGE', 'File size limit exceeded')) })
    if (!this.#hasManifest) this.#boundEarly(source)
    bytes.once('close', () => { source.unpipe(bytes).resume() }) // the task may stop reading
    source.pipe(bytes)
  }

  /** What comes before the manifest waits in memory. */
  #boundEarly (source: Readable): void {
    let length = 0
    source.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > this.#limits.maxField && !this.#hasManifest) {
        this.fail(refusal('PAYLOAD_TOO_LARGE', 'A file before the manifest is too large: send the manifest first'))
      }
    })
  }

  #uploadOf (id: string): Upload {
    const known = this.#uploads.get(id)
    if (known !== undefined) return known
    const made = new Upload(this.#hasManifest ? undefined : this.#limits.maxField)
    this.#uploads.set(id, made)
    return made
  }

  #complete (): void {
    if (!this.#hasManifest) {
      this.fail(refusal('MISSING_MANIFEST'))
      return
    }
    const missing = [...this.#uploads.values()].some(({ isPromised, hasArrived }) => isPromised && !hasArrived)
    if (missing) this.fail(refusal('MISSING_FILE_PART'))
    else this.#finish()
  }
}

function newParser (
  { headers }: IncomingMessage, { maxFile, maxFiles, maxFields, maxField }: FormLimits
): InstanceType<typeof Busboy> {
  try {
    return new Busboy({
      headers: headers as BusboyHeaders,
      limits: { fileSize: maxFile, files: maxFiles, fields: maxFields, fieldSize: maxField }
    })
  } catch (cause) {
    throw refusal('INVALID_MULTIPART', undefined, { cause })
  }
}
