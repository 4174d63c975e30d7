import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import yauzl from 'yauzl'

/** The files of a ZIP, read the usual way. */
export async function unzip (bytes: Uint8Array): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  const zip = await promisify<Buffer, yauzl.Options, yauzl.ZipFile>(yauzl.fromBuffer)(Buffer.from(bytes), {
    lazyEntries: true
  })
  const read = promisify<yauzl.Entry, NodeJS.ReadableStream>(zip.openReadStream.bind(zip))
  await new Promise((resolve, reject) => {
    zip.on('error', reject).on('end', resolve).on('entry', (entry: yauzl.Entry) => {
      read(entry).then(buffer).then(contents => {
        files.set(entry.fileName, contents)
        zip.readEntry()
      }, reject)
    })
    zip.readEntry()
  })
  return files
}
