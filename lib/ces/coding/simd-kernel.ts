import { multiply } from './gf256.ts'
import type { Kernel } from './kernel.ts'
import type { Matrix } from './matrix.ts'
import { BLOCK, layoutOf, simdModule, type Layout } from './simd-module.ts'
import { Instance, Module } from './webassembly.ts'

interface Program {
  layout: Layout
  memory: Uint8Array
  run: (length: number) => void
  rows: Matrix | undefined
}

const PROGRAMS = 16 // shapes that are kept: encoding has one, rebuilding one for each number of lost shards

/** A WebAssembly program for each shape of matrix, put together when it is first needed. */
export class SimdKernel implements Kernel {
  readonly name = 'simd'
  readonly #programs = new Map<string, Program>()

  /** @throws WebAssembly.CompileError where there is no SIMD */
  multiply (rows: Matrix, inputs: readonly Uint8Array[], outputs: readonly Uint8Array[]): void {
    if (outputs.length === 0) return
    const program = this.#program(inputs.length, outputs.length)
    if (program.rows !== rows) fillTables(program, rows)
    const { layout, memory, run } = program
    const end = outputs[0]!.length
    for (let at = 0; at < end; at += BLOCK) {
      const length = Math.min(BLOCK, end - at)
      for (let input = 0; input < inputs.length; input++) {
        memory.set(inputs[input]!.subarray(at, at + length), layout.input(input))
      }
      run(length)
      for (let output = 0; output < outputs.length; output++) {
        const from = layout.output(output)
        outputs[output]!.set(memory.subarray(from, from + length), at)
      }
    }
  }

  #program (inputs: number, outputs: number): Program {
    const shape = `${inputs}:${outputs}`
    const known = this.#programs.get(shape)
    if (known !== undefined) return known
    const program = compile(inputs, outputs)
    if (this.#programs.size >= PROGRAMS) this.#programs.delete(this.#programs.keys().next().value!)
    this.#programs.set(shape, program)
    return program
  }
}

function compile (inputs: number, outputs: number): Program {
  const { exports } = new Instance(new Module(simdModule(inputs, outputs)))
  const { memory, run } = exports as { memory: { buffer: ArrayBuffer }; run: (length: number) => void }
  return { layout: layoutOf(inputs, outputs), memory: new Uint8Array(memory.buffer), run, rows: undefined }
}

/** The products of each coefficient with all low halves of a byte, and with all high ones. */
function fillTables (program: Program, rows: Matrix): void {
  rows.forEach((row, output) =>
    row.forEach((coefficient, input) => {
      const table = program.layout.table(input, output)
      for (let half = 0; half < 16; half++) {
        program.memory[table + half] = multiply(coefficient, half)
        program.memory[table + 16 + half] = multiply(coefficient, half << 4)
      }
    })
  )
  program.rows = rows
}
