import { fstatSync, statSync, type BigIntStats } from 'node:fs'
import { open, readFile, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../errors.ts'
import { syncFolder } from '../../objects/atomic-file.ts'
import { SOCKET_NAME } from './lock-socket.ts'
import type { ProcessIdentity } from './process-identity.ts'

/**
 * Whose a folder is: a process, an id that no other claim has, the name of its socket if it has one, and whether it
 * writes signs of life.
 */
export interface Owner extends ProcessIdentity { id: string, socket: string | undefined, beats: boolean }

/** A claim that there is: its number, and whether who made it has given the folder up. */
export interface FoundClaim { token: number, isReleased: boolean }

const NAME = /^(\d{1,15})(\.free)?$/

const byToken = (a: FoundClaim, b: FoundClaim): number => a.token - b.token

/**
 * The claims to a folder: files of their own, numbered in the order in which they were made. Making one fails when it
 * is there, so the file system sees to it that of several who try one succeeds. The folder is the highest one's, and
 * that is never removed, so that numbers only rise.
 */
export class Claims {
  readonly folder: string

  constructor (folder: string) {
    this.folder = folder
  }

  /** Those there are, the lowest first. */
  async list (): Promise<FoundClaim[]> {
    const found = (await readdir(this.folder)).map(name => NAME.exec(name)).filter(match => match !== null)
    return found.map(([, token, free]) => ({ token: Number(token), isReleased: free !== undefined })).sort(byToken)
  }

  /**
   * What a claim says now, as text that is another each time its owner has said that it lives, and its owner: null when
   * it does not tell, as it is just being written or was torn. Undefined when the claim is gone.
   */
  async read (token: number): Promise<{ text: string, owner: Owner | null } | undefined> {
    try {
      const text = await readFile(this.#file({ token, isReleased: false }), 'utf8')
      return { text, owner: parse(text) }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Makes a claim, on disk when resolved; undefined when there is one of that number. */
  async make (token: number, owner: Owner): Promise<Claim | undefined> {
    const file = this.#file({ token, isReleased: false })
    let handle: FileHandle
    try {
      handle = await open(file, 'wx')
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return undefined
      throw error
    }
    const claim = new Claim(token, file, handle, owner)
    try {
      await claim.write()
      await syncFolder(this.folder)
      return claim
    } catch (error) {
      await claim.close()
      await rm(file, { force: true })
      throw error
    }
  }

  /** Takes a claim back. */
  async remove (token: number): Promise<void> {
    await rm(this.#file({ token, isReleased: false }), { force: true })
  }

  /** Deletes all claims but the highest, and all sockets but one: what those before have left. */
  async removeOthers (token: number, socket: string | undefined): Promise<void> {
    for (const found of await this.list()) if (found.token < token) await rm(this.#file(found), { force: true })
    const sockets = (await readdir(this.folder)).filter(name => SOCKET_NAME.test(name) && name !== socket)
    for (const name of sockets) await rm(path.join(this.folder, name), { force: true })
  }

  /** Gives up what is one's own; the number stays. */
  async release (token: number): Promise<void> {
    await rename(this.#file({ token, isReleased: false }), this.#file({ token, isReleased: true }))
    await syncFolder(this.folder)
  }

  #file ({ token, isReleased }: FoundClaim): string {
    return path.join(this.folder, `${token}${isReleased ? '.free' : ''}`)
  }
}

/** One's own claim. It is kept open, so that no file that is put in its place can be taken for it. */
export class Claim {
  readonly token: number
  readonly #file: string
  readonly #handle: FileHandle
  readonly #owner: Owner
  readonly #inode: BigIntStats
  #beats = 0

  constructor (token: number, file: string, handle: FileHandle, owner: Owner) {
    this.token = token
    this.#file = file
    this.#handle = handle
    this.#owner = owner
    this.#inode = fstatSync(handle.fd, { bigint: true })
  }

  /** Says whose it is, once more; always in as many bytes, so that nobody reads halves of two. */
  async write (): Promise<void> {
    const alive = String(this.#beats++).padStart(12, '0')
    await this.#handle.write(`${JSON.stringify({ ...this.#owner, alive })}\n`, 0)
    await this.#handle.datasync()
  }

  /** Whether it is where it was put: a look at what this kernel has in memory. */
  isInPlace (): boolean {
    const found = statSync(this.#file, { bigint: true, throwIfNoEntry: false })
    return found?.ino === this.#inode.ino && found.dev === this.#inode.dev
  }

  /** The same as other machines see it: opening a file is what has a network file system ask its server. */
  async isInPlaceForAll (): Promise<boolean> {
    try {
      return parse(await readFile(this.#file, 'utf8'))?.id === this.#owner.id
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  async close (): Promise<void> { await this.#handle.close() }
}

function parse (text: string): Owner | null {
  try {
    const { pid, started, boot, namespace, host, id, socket, beats } = JSON.parse(text)
    return {
      pid: Number(pid),
      started: String(started),
      boot: String(boot),
      namespace: String(namespace),
      host: String(host),
      id: String(id),
      socket: typeof socket === 'string' && SOCKET_NAME.test(socket) ? socket : undefined, // not just any file
      beats: beats !== false
    }
  } catch {
    return null
  }
}
