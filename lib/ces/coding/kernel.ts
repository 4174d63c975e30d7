import type { Matrix } from './matrix.ts'

/** What Reed-Solomon spends its time in. */
export interface Kernel {
  readonly name: 'simd' | 'plain'
  /**
   * outputs = rows × inputs, byte by byte. Inputs and outputs have one length; a row has an element for each input.
   */
  multiply(rows: Matrix, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void
}
