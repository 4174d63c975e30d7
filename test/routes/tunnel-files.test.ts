import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { TunnelError, type InputFile } from '../../tunnel.ts'
import { until } from '../helper.ts'
import { TOKEN, serve } from '../lib/tunnel/served.ts'
import { scratch } from '../scratch.ts'

const part = (name: string, text: string, more = '') =>
  `--bb\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`
const sentinel = (id: string) => ({ $runnerFile: 'File', id, meta: { name: `${id}.bin` } })
const FORM = { 'content-type': 'multipart/form-data; boundary=bb', 'x-runner-token': TOKEN }

async function form (url: string, id: string, body: string): Promise<Response> {
  return await fetch(`${url}/__runner/task/${id}`, { method: 'POST', headers: FORM, body })
}

t.test('files', async t => {
  const { app, url } = await serve(t, { maxFile: 100_000, maxField: 10_000 })
  const folder = await scratch(t)
  const started = new PassThrough()
  app.tunnel.registerTask('early', async ({ file }: { file: InputFile }) => {
    started.end()
    let bytes = 0
    for await (const chunk of file.stream()) bytes += chunk.length
    t.throws(() => file.stream(), /read already/)
    return bytes
  })
  app.tunnel.registerTask('keep', async ({ files }: { files: InputFile[] }) => {
    const { path, bytesWritten } = await files[0]!.toTempFile(folder)
    const text = await readFile(path, 'utf8')
    await rm(path)
    return { text, bytesWritten, name: files[0]!.name }
  })
  app.tunnel.registerTask('ignore', () => 'ignored')
  app.tunnel.registerTask('break', async () => {
    throw new TunnelError(418, { message: 'no', code: 'TEAPOT', details: { at: new Date(0) } })
  })
  app.tunnel.registerTask('pipe', ({ file }: { file: InputFile }) => file.stream())

  const manifest = part('__manifest', JSON.stringify({ input: { file: sentinel('A'), files: [sentinel('A')] } }))
  const file = (text: string, id = 'A') => part(`file:${id}`, text, '; filename="x"')
  const whole = (...parts: string[]) => parts.join('') + '--bb--\r\n'

  const request = http.request(`${url}/__runner/task/early`, { method: 'POST', headers: FORM })
  request.write(manifest + '--bb\r\ncontent-disposition: form-data; name="file:A"; filename="x"\r\n\r\nx')
  await once(started, 'finish')
  request.end(`${'x'.repeat(49_999)}\r\n--bb--\r\n`)
  const [response] = await once(request, 'response')
  let answer = ''
  for await (const chunk of response) answer += chunk
  t.equal(answer, '{"ok":true,"result":50000}', 'the task had started before its file came')

  t.strictSame(await (await form(url, 'keep', whole(manifest, file('kept')))).json(), {
    ok: true, result: { text: 'kept', bytesWritten: 4, name: 'A.bin' }
  })
  t.strictSame(await (await form(url, 'ignore', whole(manifest, file('y'.repeat(90_000))))).json(), {
    ok: true, result: 'ignored'
  })
  const broken = await form(url, 'break', whole(manifest, file('y'.repeat(90_000))))
  t.equal(broken.status, 418)
  t.strictSame(await broken.json(), {
    ok: false,
    error: { message: 'no', code: 'TEAPOT', details: { at: { __type: 'Date', value: '1970-01-01T00:00:00.000Z' } } }
  })
  t.equal(
    await (await form(url, 'pipe', whole(manifest, file('z'.repeat(90_000))))).text(),
    'z'.repeat(90_000),
    'a result made of the file'
  )
  t.match(await (await form(url, 'early', whole(manifest, file('x'.repeat(100_001))))).json(), {
    error: { code: 'PAYLOAD_TOO_LARGE', message: 'File size limit exceeded' }
  })
  t.match(await (await form(url, 'early', whole(file('x'.repeat(10_001)), manifest))).json(), {
    error: { code: 'PAYLOAD_TOO_LARGE', message: /send the manifest first/ }
  })
  t.match(await (await form(url, 'early', whole(manifest, file('x', 'B')))).json(), {
    error: { code: 'MISSING_FILE_PART', message: 'Internal Error' }
  })
  t.match(
    await (await form(url, 'ignore', whole(manifest, file('x', 'B')))).json(),
    { error: { code: 'MISSING_FILE_PART' } },
    'wins over the result'
  )
})

t.test('a caller who leaves in the middle of a file', async t => {
  const { app, url } = await serve(t)
  const failed = new Promise<Error>(resolve => {
    app.tunnel.registerTask('x', async ({ file }: { file: InputFile }) => {
      for await (const chunk of file.stream()) {
        if (chunk === null) break
      } return 1
    })
    app.tunnel.registerTask('y', async ({ file }: { file: InputFile }) => {
      file.stream().on('error', resolve).resume()
      await new Promise(() => {})
    })
  })
  const request = http.request(`${url}/__runner/task/y`, { method: 'POST', headers: FORM })
  request.on('error', () => {})
    .write(
      part('__manifest', JSON.stringify({ input: { file: sentinel('A') } })) +
        '--bb\r\ncontent-disposition: form-data; name="file:A"; filename="x"\r\n\r\nabc'
    )
  await until(() => app.tunnel.entries()[1]!.tally.inFlight === 1)
  request.destroy()
  t.match(await failed, { code: 'REQUEST_ABORTED' })
})
