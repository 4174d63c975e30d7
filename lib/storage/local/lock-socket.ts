import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { open, type FileHandle } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import path from 'node:path'
import { codeOf } from '../../errors.ts'

/** The names of the sockets. */
export const SOCKET_NAME = /^[0-9a-f]{12}\.sock$/
/**
 * Bytes of an address: 108 (unix(7)) or 104 (elsewhere) with the zero at its end. Older Nodes cut off what is longer.
 */
const MAX_ADDRESS = 103
/** What says that nobody listens any more, or that this file is no socket; whatever else goes wrong, somebody may. */
const NOBODY = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTSOCK', 'ENOTDIR'])

/** What says that there can be no socket. */
const UNSUPPORTED = new Set(['EACCES', 'EINVAL', 'ENAMETOOLONG', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM'])

/**
 * A listening Unix socket in a folder: the kernel holds it for as long as the process lives, stopped or not, and
 * answers for it to every process that sees the file, in whatever container. It is found by the file and not by an id.
 */
export class LockSocket {
  readonly name: string
  readonly #server: Server
  readonly #folder: OpenFolder

  private constructor (name: string, server: Server, folder: OpenFolder) {
    this.name = name
    this.#server = server
    this.#folder = folder
  }

  /** Listens in a folder; undefined where there can be no socket. Rejects when the disk fails. */
  static async listen (folder: string): Promise<LockSocket | undefined> {
    const name = `${randomBytes(6).toString('hex')}.sock`
    const opened = await OpenFolder.open(folder)
    const server = createServer(connection => { connection.destroy() })
    try {
      // others may run as somebody else; they get no more than the connection
      server.listen({ path: opened.addressOf(name), exclusive: true, readableAll: true, writableAll: true })
      await once(server, 'listening')
    } catch (error) {
      await opened.close()
      if (!UNSUPPORTED.has(codeOf(error) ?? '')) throw error
      return undefined
    }
    server.unref()
    return new LockSocket(name, server, opened)
  }

  async close (): Promise<void> {
    await once(this.#server.close(), 'close') // with its file
    await this.#folder.close()
  }
}

/** Whether somebody listens at a socket in a folder, or may. */
export async function isListenedAt (folder: string, name: string): Promise<boolean> {
  const opened = await OpenFolder.open(folder)
  const socket = connect(opened.addressOf(name))
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return !NOBODY.has(codeOf(error) ?? '')
  } finally {
    socket.destroy()
    await opened.close()
  }
}

/** A folder whose sockets have addresses that are short enough, however long its own path is. */
class OpenFolder {
  readonly #folder: string
  readonly #handle: FileHandle | undefined

  private constructor (folder: string, handle: FileHandle | undefined) {
    this.#folder = folder
    this.#handle = handle
  }

  static async open (folder: string): Promise<OpenFolder> {
    const isShort = Buffer.byteLength(folder) < MAX_ADDRESS - 20
    return new OpenFolder(folder, isShort || process.platform !== 'linux' ? undefined : await open(folder, 'r'))
  }

  /** @throws Error when it is too long all the same */
  addressOf (name: string): string {
    const folder = this.#handle === undefined ? this.#folder : `/proc/self/fd/${this.#handle.fd}`
    const address = path.join(folder, name)
    if (Buffer.byteLength(address) <= MAX_ADDRESS) return address
    throw Object.assign(new Error(`ENAMETOOLONG: ${address}`), { code: 'ENAMETOOLONG', syscall: 'listen' })
  }

  async close (): Promise<void> { await this.#handle?.close() }
}
