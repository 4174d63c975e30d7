import type { Kernel } from './kernel.ts'
import { PlainKernel } from './plain-kernel.ts'
import { SimdKernel } from './simd-kernel.ts'
import { CompileError } from './webassembly.ts'

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
