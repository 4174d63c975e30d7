import type { Matrix } from './matrix.ts'
import { PlainKernel } from './plain-kernel.ts'
import { SimdKernel } from './simd-kernel.ts'
import { CompileError } from './webassembly.ts'

/** What Reed-Solomon spends its time in. */
export interface Kernel {
  readonly name: 'simd' | 'plain'
  /**
   * outputs = rows × inputs, byte by byte. Inputs and outputs have one length; a row has an element for each input.
   */
  multiply(rows: Matrix, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void
}

/** The fastest kernel that runs here: whether there is SIMD is found by trying it. */
export function chooseKernel (): Kernel {
  const simd = new SimdKernel()
  try {
    simd.multiply([Uint8Array.of(1)], [new Uint8Array(1)], [new Uint8Array(1)])
    return simd
  } catch (error) {
    if (error instanceof CompileError) return new PlainKernel()
    throw error
  }
}
