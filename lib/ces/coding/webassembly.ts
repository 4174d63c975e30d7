/** What is used of WebAssembly, which neither ECMAScript's types nor all of Node's name. */
interface WebAssemblyApi {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { exports: Record<string, unknown> }
  CompileError: new () => Error
}

export const { Module, Instance, CompileError } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly
