import { randomBytes } from 'node:crypto'
import path from 'node:path'
import bs58check from 'bs58check'
import { ObjectBundles } from '../../../../lib/bundles/stores/object-bundles.ts'
import { isDocumentId, type DocumentId } from '../../../../lib/ids.ts'
import { FolderObjects } from '../../../../lib/objects/folder-objects.ts'

export function newId (): DocumentId {
  const id = bs58check.encode(randomBytes(16))
  if (!isDocumentId(id)) throw new Error(`not a document id: ${id}`)
  return id
}

/** Bundles in a folder, as a relay has them by default. */
export class FolderBundles extends ObjectBundles {
  constructor ({ folder }: { folder: string }) {
    super(new FolderObjects({ folder, scratch: path.join(folder, 'bundles') }))
  }
}
