import type { RelayError } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { FrameType } from '../../wire/frame.ts'
import type { EngineMeter } from '../context.ts'
import type { ConnectionReports, PeerConnection } from './connection.ts'
import type { QuotaParts } from './quotas.ts'

export interface PeerReportsParts { readonly meter: EngineMeter, readonly log: Log, readonly quotas: QuotaParts }

/** Counts and logs what happens on connections. */
export class PeerReports implements ConnectionReports {
  readonly #parts: PeerReportsParts

  constructor (parts: PeerReportsParts) {
    this.#parts = parts
  }

  received (type: FrameType | 'invalid', bytes: number): void { this.#parts.meter.messageIn(type, bytes) }

  sent (type: FrameType, bytes: number): void { this.#parts.meter.messageOut(type, bytes) }

  refused (peer: PeerConnection, error: RelayError): void {
    const { log, meter } = this.#parts
    meter.refused(error.code)
    if (error.code === 'RELAY_INTERNAL') {
      log.error({ peer: peer.key, peerId: peer.peerId, err: error.cause }, 'peer closed: internal error')
    } else if (error.code !== 'RELAY_CLOSING') {
      this.denied(peer, error)
    }
  }

  denied ({ source, key }: PeerConnection, error: RelayError): void {
    this.#parts.quotas.refusals.tell(source ?? key, error)
  }
}
