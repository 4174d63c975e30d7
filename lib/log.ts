type LogFn = (fields: object, message: string) => void

/** The part of a pino logger that lib uses; a host's logger, or `silent` in tests. */
export interface Log { debug: LogFn, info: LogFn, warn: LogFn, error: LogFn }

const nothing: LogFn = () => {}

export const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
