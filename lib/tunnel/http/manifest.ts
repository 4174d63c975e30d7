import { refusal } from '../errors.ts'
import type { ReadManifest } from './form.ts'
import type { FileMeta, InputFile } from './input-file.ts'
import type { Serializer } from '../values/serializer.ts'

interface Sentinel { $runnerFile: 'File', id: string, meta?: unknown }

const isSentinel = (value: object): value is Sentinel =>
  (value as Sentinel).$runnerFile === 'File' && typeof (value as Sentinel).id === 'string'

/** Reads `{"input":…}`, with files for what stands for them. */
export function manifestReader (serializer: Serializer): ReadManifest {
  return (text, file) => {
    const manifest = parse(serializer, text)
    if (typeof manifest !== 'object' || manifest === null) throw refusal('MISSING_MANIFEST')
    return withFiles((manifest as { input?: unknown }).input, file)
  }
}

function parse (serializer: Serializer, text: string): unknown {
  if (text === '') throw refusal('MISSING_MANIFEST')
  try {
    return serializer.parse(text)
  } catch (cause) {
    throw refusal('INVALID_MULTIPART', 'Invalid manifest', { cause })
  }
}

function withFiles (value: unknown, file: (id: string, meta: FileMeta) => InputFile): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isSentinel(value)) return file(value.id, metaOf(value.meta))
  if (Array.isArray(value)) return value.map(item => withFiles(item, file))
  if (Object.getPrototypeOf(value) !== Object.prototype) return value // a Date, a Map
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withFiles(item, file)]))
}

/** Only what has the type it should have. */
function metaOf (value: unknown): FileMeta {
  const { name, type, size, lastModified, extra } =
    (typeof value === 'object' && value !== null ? value : {}) as Record<keyof FileMeta, unknown>
  return {
    ...(typeof name === 'string' && { name }),
    ...(typeof type === 'string' && { type }),
    ...(typeof size === 'number' && { size }),
    ...(typeof lastModified === 'number' && { lastModified }),
    ...(extra !== undefined && { extra })
  }
}
