/**
 * What Fastify and fastify-cli hand a plugin along with its own options: those of `register`, fastify-cli's
 * `skipOverride` and, with `fastify start --options`, all that the server was made with.
 */
const NAMES = new Set([
  'prefix', 'logLevel', 'logSerializers', 'skipOverride',
  'ajv', 'allowErrorHandlerOverride', 'allowUnsafeRegex', 'bodyLimit', 'caseSensitive', 'childLoggerFactory',
  'clientErrorHandler', 'connectionTimeout', 'constraints', 'disableRequestLogging', 'exposeHeadRoutes',
  'forceCloseConnections', 'frameworkErrors', 'genReqId', 'handlerTimeout', 'http', 'http2', 'http2SessionTimeout',
  'https',
  'ignoreDuplicateSlashes', 'ignoreTrailingSlash', 'keepAliveTimeout', 'logController', 'logger', 'loggerInstance',
  'maxParamLength', 'maxRequestsPerSocket', 'onConstructorPoisoning', 'onProtoPoisoning', 'pluginTimeout',
  'querystringParser', 'requestIdHeader', 'requestIdLogLabel', 'requestTimeout', 'return503OnClosing', 'rewriteUrl',
  'routerOptions', 'schemaController', 'schemaErrorFormatter', 'serializerOpts', 'serverFactory', 'trustProxy',
  'useSemicolonDelimiter'
])

/** The options that are the plugin's own. */
export const withoutFastifys = <T extends object>(options: T): Omit<T, 'prefix'> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !NAMES.has(name))) as Omit<T, 'prefix'>
