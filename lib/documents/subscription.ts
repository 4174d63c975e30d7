import type { Hash } from '../automerge/format/hash.ts'
import { messageFor, type RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Grant, Granted } from '../sync/peers/grant.ts'
import type { EventStream } from '../http/event-stream.ts'
import type { Listener } from './watch.ts'
import { headsText } from './heads.ts'

/** One who reads a document's changes as server-sent events, as long as that is allowed. */
export class Subscription implements Listener, Granted {
  readonly wantsPatches: boolean
  readonly #id: DocumentId
  readonly #stream: EventStream
  readonly #grant: Grant | undefined

  /** @param grant what who reads may do; everything without one */
  constructor (
    id: DocumentId, stream: EventStream, { grant, wantsPatches }: { grant: Grant | undefined, wantsPatches: boolean }
  ) {
    this.wantsPatches = wantsPatches
    this.#id = id
    this.#stream = stream
    this.#grant = grant
    grant?.attach(this)
    stream.once('close', () => { grant?.detach() })
  }

  get isReady (): boolean { return this.#stream.isReady }

  permits (): boolean | Promise<boolean> {
    const rights = this.#grant?.rights(this.#id)
    if (rights instanceof Promise) return rights.then(({ read }) => read)
    return rights === undefined || rights.read
  }

  changed (heads: Hash[], patch?: { from: Hash[], text: string }): void {
    const id = headsText(heads)
    // who loses the connection between the two comes back for the patch
    this.#stream.event('heads', JSON.stringify({ heads }), patch === undefined ? id : undefined)
    if (patch !== undefined) {
      this.#stream.event(
        'patches', `{"from":${JSON.stringify(patch.from)},"heads":${JSON.stringify(heads)},"patch":${patch.text}}`, id
      )
    }
  }

  end (error: RelayError): void {
    this.#stream.end('end', JSON.stringify({ error: messageFor(error), code: error.code }))
  }

  refuse (error: RelayError): void { this.end(error) }

  /** Whether it is allowed is asked when there is something to tell. */
  reassess (): void {}
}
