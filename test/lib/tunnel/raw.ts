import { connect } from 'node:net'

export interface RawRequest {
  method: string
  path: string
  headers?: Array<[string, string]>
  body?: string | Uint8Array | undefined
}
export interface RawAnswer { status: number, headers: Record<string, string>, body: string }

/** One request on a socket of its own, exactly as given, and everything that came back. */
export async function exchange (
  url: string, { method, path, headers = [], body = '' }: RawRequest
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(url)
  const hasLength = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))
  const length: Array<[string, string]> = hasLength || method === 'GET'
    ? []
    : [['content-length', String(Buffer.byteLength(body))]]
  const all = [['host', host], ['connection', 'close'], ...headers, ...length]
  const head = `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname, () => {
      socket.write(head)
      socket.write(body)
    })
    socket.on('data', chunk => chunks.push(chunk)).on('error', reject).on('close', () => {
      resolve(Buffer.concat(chunks))
    })
  })
  return read(bytes)
}

function read (bytes: Buffer): RawAnswer {
  const end = bytes.indexOf('\r\n\r\n')
  const [first = '', ...lines] = bytes.subarray(0, end).toString().split('\r\n')
  const headers = Object.fromEntries(lines.map(line => [
    line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()
  ]))
  const body = bytes.subarray(end + 4)
  return {
    status: Number(first.split(' ')[1]),
    headers,
    body: headers['transfer-encoding'] === 'chunked' ? dechunked(body) : body.toString()
  }
}

function dechunked (bytes: Buffer): string {
  const start = bytes.indexOf('\r\n')
  const length = parseInt(bytes.subarray(0, start).toString(), 16)
  return length > 0
    ? bytes.subarray(start + 2, start + 2 + length).toString() + dechunked(bytes.subarray(start + 4 + length))
    : ''
}
