import { gzipSync } from 'node:zlib'

// What the package of version 5.5.0 answered, recorded on Node 20 with the tasks of ./fixture.ts.

type Header = [name: string, value: string]

/** Number, what it shows, request, its headers and body, status, body and particular headers of the answer. */
export type Vector = [
  number: number, title: string, request: string, headers: Header[], body: string | Uint8Array | undefined,
  status: number, answer: string | undefined, answerHeaders?: Record<string, string>
]

const TOKEN: Header = ['x-runner-token', 'dev-secret']
const JSON_TYPE: Header = ['content-type', 'application/json']
const FORM_TYPE: Header = ['content-type', 'multipart/form-data; boundary=bb']

const DISCOVERY = '{"ok":true,"result":{"allowList":{"enabled":true,"tasks":["app.tasks.add","app.tasks.echo",' +
  '"app.tasks.types",' +
  '"app.tasks.upload","app.tasks.duplex","app.tasks.streamOut","app.tasks.fail","app.tasks.failTyped",' +
  '"app.tasks.slow","app.tasks.a/b c",' +
  '"app.tasks.whoami"],"events":["app.events.notify","app.events.par"]}}}'

const field = (name: string, value: string) => `Content-Disposition: form-data; name="${name}"\r\n\r\n${value}`
const manifest = (text: string) => field('__manifest', text)
const file = (id: string, name: string, text: string) =>
  `Content-Disposition: form-data; name="file:${id}"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n${text}`
const form = (...parts: string[]) => parts.map(part => `--bb\r\n${part}\r\n`).join('') + '--bb--\r\n'

export const vectors: Vector[] = [
  [
    1, 'task ok (plain JSON)', 'POST /__runner/task/app.tasks.add', [TOKEN, JSON_TYPE], '{"input":{"a":1,"b":2}}', 200,
    '{"ok":true,"result":3}'
  ],
  [
    2, 'task bare body without input key', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE], '{"a":1}', 200,
    '{"ok":true,"result":{"a":1}}'
  ],
  [
    3, 'task bare scalar body', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE], '7', 200,
    '{"ok":true,"result":7}'
  ],
  [
    4, 'task bare array body', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE], '[1]', 200,
    '{"ok":true,"result":[1]}'
  ],
  [
    5, 'task null body', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE], 'null', 200,
    '{"ok":true,"result":null}'
  ],
  [
    6, 'task empty body', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE], undefined, 200,
    '{"ok":true,"result":{"__type":"Undefined","value":null}}'
  ],
  [
    7, 'task input null', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE], '{"input":null}', 200,
    '{"ok":true,"result":null}'
  ],
  [
    8, 'task no content-type', 'POST /__runner/task/app.tasks.echo', [TOKEN], '{"input":1}', 200,
    '{"ok":true,"result":1}'
  ],
  [
    9, 'task text/plain content-type', 'POST /__runner/task/app.tasks.echo', [TOKEN, ['content-type', 'text/plain']],
    '{"input":1}', 200, '{"ok":true,"result":1}'
  ],
  [
    10,
    'task invalid JSON',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE],
    '{bad',
    400,
    '{"ok":false,"error":{"message":"Invalid JSON body","code":"INVALID_JSON"}}'
  ],
  [
    11,
    'task unknown __type',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE],
    '{"input":{"__type":"Nope","value":1}}',
    400,
    '{"ok":false,"error":{"message":"Invalid JSON body","code":"INVALID_JSON"}}'
  ],
  [
    12, 'task __proto__ key', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE],
    '{"input":{"__proto__":{"x":1},"constructor":1,"ok":1}}', 200, '{"ok":true,"result":{"ok":1}}'
  ],
  [
    13,
    'task graph body',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE],
    '{"__graph":true,"version":1,"root":{"input":{"__ref":"obj_1"}},"nodes":{"obj_1":{"kind":"object",' +
      '"value":{"a":1}}}}',
    200,
    '{"ok":true,"result":{"a":1}}'
  ],
  [
    14,
    'task ReDoS regexp',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE],
    '{"input":{"__type":"RegExp","value":{"pattern":"(a+)+$","flags":""}}}',
    400,
    '{"ok":false,"error":{"message":"Invalid JSON body","code":"INVALID_JSON"}}'
  ],
  [
    15,
    'task bad bigint',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE],
    '{"input":{"__type":"BigInt","value":"x"}}',
    400,
    '{"ok":false,"error":{"message":"Invalid JSON body","code":"INVALID_JSON"}}'
  ],
  [
    16,
    'GET task',
    'GET /__runner/task/app.tasks.add',
    [TOKEN],
    undefined,
    405,
    '{"ok":false,"error":{"message":"Method Not Allowed","code":"METHOD_NOT_ALLOWED"}}'
  ],
  [
    17,
    'PUT task',
    'PUT /__runner/task/app.tasks.add',
    [TOKEN, JSON_TYPE],
    '{}',
    405,
    '{"ok":false,"error":{"message":"Method Not Allowed","code":"METHOD_NOT_ALLOWED"}}'
  ],
  [
    18,
    'GET event',
    'GET /__runner/event/app.events.notify',
    [TOKEN],
    undefined,
    405,
    '{"ok":false,"error":{"message":"Method Not Allowed","code":"METHOD_NOT_ALLOWED"}}'
  ],
  [19, 'HEAD discovery', 'HEAD /__runner/discovery', [TOKEN], undefined, 405, undefined],
  [20, 'GET discovery', 'GET /__runner/discovery', [TOKEN], undefined, 200, DISCOVERY],
  [
    21,
    'POST discovery',
    'POST /__runner/discovery',
    [TOKEN, JSON_TYPE],
    '{}',
    405,
    '{"ok":false,"error":{"message":"Method Not Allowed","code":"METHOD_NOT_ALLOWED"}}'
  ],
  [
    22,
    'GET discovery no auth',
    'GET /__runner/discovery',
    [],
    undefined,
    401,
    '{"ok":false,"error":{"message":"Unauthorized","code":"UNAUTHORIZED"}}'
  ],
  [
    23,
    'GET task no auth (405 wins over 401)',
    'GET /__runner/task/app.tasks.add',
    [],
    undefined,
    405,
    '{"ok":false,"error":{"message":"Method Not Allowed","code":"METHOD_NOT_ALLOWED"}}'
  ],
  [
    24,
    'POST task no auth',
    'POST /__runner/task/app.tasks.add',
    [JSON_TYPE],
    '{}',
    401,
    '{"ok":false,"error":{"message":"Unauthorized","code":"UNAUTHORIZED"}}'
  ],
  [
    25,
    'POST hidden no auth (401 wins over 403)',
    'POST /__runner/task/app.tasks.hidden',
    [JSON_TYPE],
    '{}',
    401,
    '{"ok":false,"error":{"message":"Unauthorized","code":"UNAUTHORIZED"}}'
  ],
  [
    26,
    'POST hidden',
    'POST /__runner/task/app.tasks.hidden',
    [TOKEN, JSON_TYPE],
    '{}',
    403,
    '{"ok":false,"error":{"message":"Task app.tasks.hidden not exposed","code":"FORBIDDEN"}}'
  ],
  [
    27,
    'POST unknown task',
    'POST /__runner/task/nope',
    [TOKEN, JSON_TYPE],
    '{}',
    403,
    '{"ok":false,"error":{"message":"Task nope not exposed","code":"FORBIDDEN"}}'
  ],
  [
    28,
    'POST unknown event',
    'POST /__runner/event/nope',
    [TOKEN, JSON_TYPE],
    '{}',
    403,
    '{"ok":false,"error":{"message":"Event nope not exposed","code":"FORBIDDEN"}}'
  ],
  [
    29,
    'event id via task route',
    'POST /__runner/task/app.events.notify',
    [TOKEN, JSON_TYPE],
    '{}',
    403,
    '{"ok":false,"error":{"message":"Task app.events.notify not exposed","code":"FORBIDDEN"}}'
  ],
  [
    30,
    'no id',
    'POST /__runner/task',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    31,
    'no id slash',
    'POST /__runner/task/',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    32,
    'base only',
    'POST /__runner',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    33,
    'unknown kind',
    'POST /__runner/foo/bar',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    34,
    'outside base',
    'POST /other',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    35,
    'base prefix lookalike',
    'POST /__runnerx/task/app.tasks.add',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    36, 'query string ignored', 'POST /__runner/task/app.tasks.add?x=1', [TOKEN, JSON_TYPE], '{"input":{"a":1,"b":2}}',
    200, '{"ok":true,"result":3}'
  ],
  [
    37, 'trailing slash', 'POST /__runner/task/app.tasks.add/', [TOKEN, JSON_TYPE], '{"input":{"a":1,"b":2}}', 200,
    '{"ok":true,"result":3}'
  ],
  [
    38, 'double slash', 'POST /__runner//task//app.tasks.add', [TOKEN, JSON_TYPE], '{"input":{"a":1,"b":2}}', 200,
    '{"ok":true,"result":3}'
  ],
  [
    39, 'encoded slash id', 'POST /__runner/task/app.tasks.a%2Fb%20c', [TOKEN, JSON_TYPE], '{}', 200,
    '{"ok":true,"result":"slash"}'
  ],
  [
    40, 'raw slash id', 'POST /__runner/task/app.tasks.a/b%20c', [TOKEN, JSON_TYPE], '{}', 200,
    '{"ok":true,"result":"slash"}'
  ],
  [
    41,
    'bad percent',
    'POST /__runner/task/%E0%A4%A',
    [TOKEN, JSON_TYPE],
    '{}',
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [42, 'discovery extra segment', 'GET /__runner/discovery/x', [TOKEN], undefined, 200, DISCOVERY],
  [
    43,
    'OPTIONS task',
    'OPTIONS /__runner/task/app.tasks.add',
    [['origin', 'http://o'], ['access-control-request-method', 'POST'], [
      'access-control-request-headers', 'x-runner-token,content-type'
    ]],
    undefined,
    204,
    undefined,
    { 'access-control-allow-methods': 'POST, OPTIONS', 'access-control-allow-headers': 'x-runner-token,content-type' }
  ],
  [44, 'OPTIONS base', 'OPTIONS /__runner', [['origin', 'http://o']], undefined, 204, undefined, {
    'access-control-allow-methods': 'POST, OPTIONS'
  }],
  [
    45,
    'OPTIONS outside',
    'OPTIONS /zzz',
    [['origin', 'http://o']],
    undefined,
    404,
    '{"ok":false,"error":{"message":"Not Found","code":"NOT_FOUND"}}'
  ],
  [
    46, 'event ok', 'POST /__runner/event/app.events.notify', [TOKEN, JSON_TYPE], '{"payload":{"m":1}}', 200,
    '{"ok":true}'
  ],
  [47, 'event empty body', 'POST /__runner/event/app.events.notify', [TOKEN, JSON_TYPE], undefined, 200, '{"ok":true}'],
  [
    48, 'event returnPayload', 'POST /__runner/event/app.events.notify', [TOKEN, JSON_TYPE],
    '{"payload":{"m":1},"returnPayload":true}', 200, '{"ok":true,"result":{"m":1,"seen":true}}'
  ],
  [
    49, 'event returnPayload no payload', 'POST /__runner/event/app.events.notify', [TOKEN, JSON_TYPE],
    '{"returnPayload":true}', 200, '{"ok":true,"result":{"__type":"Undefined","value":null}}'
  ],
  [
    50, 'event bare body (payload undefined)', 'POST /__runner/event/app.events.notify', [TOKEN, JSON_TYPE], '{"m":1}',
    200, '{"ok":true}'
  ],
  [
    51,
    'event parallel returnPayload',
    'POST /__runner/event/app.events.par',
    [TOKEN, JSON_TYPE],
    '{"payload":1,"returnPayload":true}',
    400,
    '{"ok":false,"error":{"message":"Event app.events.par is marked parallel; returning a payload is not ' +
      'supported.","code":"PARALLEL_EVENT_RETURN_UNSUPPORTED"}}'
  ],
  [
    52,
    'event multipart content-type',
    'POST /__runner/event/app.events.notify',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; name="__manifest"\r\n\r\n{"input":1}\r\n--bb--\r\n',
    400,
    '{"ok":false,"error":{"message":"Invalid JSON body","code":"INVALID_JSON"}}'
  ],
  [
    53,
    'request-id echoed',
    'POST /__runner/task/app.tasks.add',
    [TOKEN, JSON_TYPE, ['x-runner-request-id', 'abc.DEF:1-2_3']],
    '{"input":{"a":1,"b":2}}',
    200,
    '{"ok":true,"result":3}',
    { 'x-runner-request-id': 'abc.DEF:1-2_3' }
  ],
  [
    54, 'request-id invalid replaced', 'POST /__runner/task/app.tasks.add',
    [TOKEN, JSON_TYPE, ['x-runner-request-id', 'bad id!']], '{"input":{"a":1,"b":2}}', 200, '{"ok":true,"result":3}'
  ],
  [
    55, 'context header garbage ignored', 'POST /__runner/task/app.tasks.whoami',
    [TOKEN, JSON_TYPE, ['x-runner-context', '{nope']], '{}', 200, '{"ok":true,"result":null}'
  ],
  [
    56,
    'context header ok',
    'POST /__runner/task/app.tasks.whoami',
    [TOKEN, JSON_TYPE, ['x-runner-context', '{"app.ctx.tenant":"{\\"t\\":1}"}']],
    '{}',
    200,
    '{"ok":true,"result":{"t":1}}'
  ],
  [
    57,
    'token header repeated',
    'POST /__runner/task/app.tasks.add',
    [JSON_TYPE, ['x-runner-token', 'bad'], ['X-Runner-Token', 'dev-secret']],
    '{"input":{"a":1,"b":2}}',
    401,
    '{"ok":false,"error":{"message":"Unauthorized","code":"UNAUTHORIZED"}}'
  ],
  [
    58,
    '413 json 2MiB+1',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE],
    `{"input":"${'x'.repeat(2 ** 21 - 11)}"}`,
    413,
    '{"ok":false,"error":{"message":"Payload too large","code":"PAYLOAD_TOO_LARGE"}}'
  ],
  [
    59, 'json exactly 2MiB', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE],
    `{"input":"${'x'.repeat(2 ** 21 - 12)}"}`, 200, `{"ok":true,"result":"${'x'.repeat(2 ** 21 - 12)}"}`
  ],
  [
    60,
    'fail untyped',
    'POST /__runner/task/app.tasks.fail',
    [TOKEN, JSON_TYPE],
    '{}',
    500,
    '{"ok":false,"error":{"message":"Internal Error","code":"INTERNAL_ERROR"}}'
  ],
  [
    61,
    'fail typed',
    'POST /__runner/task/app.tasks.failTyped',
    [TOKEN, JSON_TYPE],
    '{}',
    500,
    '{"ok":false,"error":{"message":"{\\"message\\":\\"quota ' +
      'exceeded\\",\\"code\\":\\"Q1\\",\\"limit\\":5}","code":"INTERNAL_ERROR","id":"app.errors.quota",' +
      '"data":{"message":"quota exceeded","code":"Q1","limit":5}}}'
  ],
  [
    62, 'void task', 'POST /__runner/task/app.tasks.echo', [TOKEN, JSON_TYPE],
    '{"input":{"__type":"Undefined","value":null}}', 200, '{"ok":true,"result":{"__type":"Undefined","value":null}}'
  ],
  [
    63,
    'gzip request body not decoded',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE, ['content-encoding', 'gzip']],
    gzipSync('{"input":1}'),
    400,
    '{"ok":false,"error":{"message":"Invalid JSON body","code":"INVALID_JSON"}}'
  ],
  [
    64,
    'gzip accept ignored',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, JSON_TYPE, ['accept-encoding', 'gzip, br']],
    '{"input":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}',
    200,
    '{"ok":true,"result":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}'
  ],
  [65, 'stream task', 'POST /__runner/task/app.tasks.streamOut', [TOKEN, JSON_TYPE], '{}', 200, 'chunk-1;chunk-2', {
    'content-type': 'text/plain', 'x-extra': '1', 'transfer-encoding': 'chunked'
  }],
  [
    66, 'octet to json task', 'POST /__runner/task/app.tasks.echo',
    [TOKEN, ['content-type', 'application/octet-stream']], 'abc', 200,
    '{"ok":true,"result":{"__type":"Undefined","value":null}}'
  ],
  [
    67,
    'multipart ok',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    form(
      manifest(
        '{"input":{"note":"n","file":{"$runnerFile":"File","id":"F1","meta":{"name":"a.txt","type":"text/plain"}}}}'
      ),
      file('F1', 'a.txt', 'hello')
    ),
    200,
    '{"ok":true,"result":{"name":"a.txt","type":"text/plain","bytes":5,"text":"hello","note":"n"}}'
  ],
  [
    68,
    'multipart file before manifest',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    form(file('F1', 'a.txt', 'hello'), manifest(
      '{"input":{"file":{"$runnerFile":"File","id":"F1","meta":{"name":"a.txt","type":"text/plain"}}}}'
    )),
    200,
    '{"ok":true,"result":{"name":"a.txt","type":"text/plain","bytes":5,"text":"hello","note":{"__type":"Undefined",' +
      '"value":null}}}'
  ],
  [
    69,
    'multipart meta from part',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; ' +
      'name="__manifest"\r\n\r\n{"input":{"file":{"$runnerFile":"File","id":"F1",' +
      '"meta":{}}}}\r\n--bb\r\nContent-Disposition: form-data; name="file:F1"; filename="part.bin"\r\nContent-Type: ' +
      'application/pdf\r\n\r\nhello\r\n--bb--\r\n',
    200,
    '{"ok":true,"result":{"name":"part.bin","type":"application/pdf","bytes":5,"text":"hello",' +
      '"note":{"__type":"Undefined","value":null}}}'
  ],
  [
    70,
    'multipart no manifest',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; name="file:F1"; filename="a"\r\nContent-Type: ' +
      'text/plain\r\n\r\nx\r\n--bb--\r\n',
    400,
    '{"ok":false,"error":{"message":"Missing manifest","code":"MISSING_MANIFEST"}}'
  ],
  [
    71,
    'multipart bad manifest json',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; name="__manifest"\r\n\r\n{bad\r\n--bb--\r\n',
    400,
    '{"ok":false,"error":{"message":"Invalid manifest","code":"INVALID_MULTIPART"}}'
  ],
  [
    72,
    'multipart null manifest',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; name="__manifest"\r\n\r\nnull\r\n--bb--\r\n',
    400,
    '{"ok":false,"error":{"message":"Missing manifest","code":"MISSING_MANIFEST"}}'
  ],
  [
    73,
    'multipart missing file part',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; ' +
      'name="__manifest"\r\n\r\n{"input":{"file":{"$runnerFile":"File","id":"F1","meta":{"name":"a.txt",' +
      '"type":"text/plain"}}}}\r\n--bb--\r\n',
    500,
    '{"ok":false,"error":{"message":"Internal Error","code":"MISSING_FILE_PART"}}'
  ],
  [
    74,
    'multipart no files, echo',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; name="__manifest"\r\n\r\n{"input":{"a":1}}\r\n--bb--\r\n',
    200,
    '{"ok":true,"result":{"a":1}}'
  ],
  [
    75,
    'multipart extra unknown parts ignored',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    form(
      field('other', 'x'),
      file('F9', 'z', 'zz'),
      manifest('{"input":{"file":{"$runnerFile":"File","id":"F1","meta":{"name":"a.txt","type":"text/plain"}}}}'),
      file('F1', 'a.txt', 'ok')
    ),
    200,
    '{"ok":true,"result":{"name":"a.txt","type":"text/plain","bytes":2,"text":"ok","note":{"__type":"Undefined",' +
      '"value":null}}}'
  ],
  [
    76,
    'multipart no boundary',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, ['content-type', 'multipart/form-data']],
    'x',
    400,
    '{"ok":false,"error":{"message":"Invalid multipart payload","code":"INVALID_MULTIPART"}}'
  ],
  [
    77,
    'multipart truncated',
    'POST /__runner/task/app.tasks.upload',
    [TOKEN, FORM_TYPE],
    '--bb\r\nContent-Disposition: form-data; name="__manifest"\r\n\r\n{"input":1}',
    400,
    '{"ok":false,"error":{"message":"Invalid multipart payload","code":"INVALID_MULTIPART"}}'
  ],
  [
    78,
    'multipart manifest >1MiB field',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, FORM_TYPE],
    form(manifest(`{"input":"${'x'.repeat(2 ** 20)}"}`)),
    413,
    '{"ok":false,"error":{"message":"Field limit exceeded","code":"PAYLOAD_TOO_LARGE"}}'
  ],
  [
    79,
    'multipart 11 files',
    'POST /__runner/task/app.tasks.echo',
    [TOKEN, FORM_TYPE],
    form(manifest('{"input":1}'), ...Array.from({ length: 11 }, (_, n) => file(`F${n}`, `f${n}`, 'x'))),
    413,
    '{"ok":false,"error":{"message":"Files limit exceeded","code":"PAYLOAD_TOO_LARGE"}}'
  ]
]
