import { multiply } from './gf256.ts'
import type { Kernel } from './kernel.ts'
import type { Matrix } from './matrix.ts'

const GROUP = 4 // outputs at a time: a byte of each in 32 bits

/** Where WebAssembly has no SIMD. One look-up gives what an input byte adds to four outputs. */
export class PlainKernel implements Kernel {
  readonly name = 'plain'

  multiply (rows: Matrix, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    for (let at = 0; at < outputs.length; at += GROUP) {
      group(rows.slice(at, at + GROUP), inputs, outputs.slice(at, at + GROUP))
    }
  }
}

function group (rows: Matrix, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
  const sums = new Uint32Array(outputs[0]!.length)
  const products = new Uint32Array(256)
  for (let from = 0; from < inputs.length; from++) {
    for (let byte = 0; byte < 256; byte++) {
      products[byte] = rows.reduce((packed, row, at) => packed | (multiply(row[from]!, byte) << (8 * at)), 0)
    }
    const input = inputs[from]!
    for (let at = 0; at < sums.length; at++) sums[at]! ^= products[input[at]!]!
  }
  for (let to = 0; to < outputs.length; to++) {
    const output = outputs[to]!
    for (let at = 0; at < sums.length; at++) output[at] = sums[at]! >>> (8 * to)
  }
}
