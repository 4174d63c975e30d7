declare module '*.css'

declare module '*.wasm' {
  /** Its address, as seen from the file that names it */
  const address: string
  export default address
}
