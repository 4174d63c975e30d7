/** Bytes of each input and output that are worked on at a time: all of them stay in the processor's second cache. */
export const BLOCK = 32 * 1024
const STRIDE = BLOCK + 64 // else all inputs would meet in the same lines of the first cache
const PAGE = 64 * 1024

/** Where in the module's memory things lie, in bytes from its start. */
export interface Layout {
  readonly table: (input: number, output: number) => number
  readonly input: (at: number) => number
  readonly output: (at: number) => number
  readonly pages: number
}

export function layoutOf (inputs: number, outputs: number): Layout {
  const tables = 32 * inputs * outputs
  return {
    table: (input, output) => 32 * (input * outputs + output),
    input: at => tables + STRIDE * at,
    output: at => tables + STRIDE * (inputs + at),
    pages: Math.ceil((tables + STRIDE * (inputs + outputs)) / PAGE)
  }
}

const I32 = 0x7f
const V128 = 0x7b
const simd = (opcode: number): number[] => [0xfd, opcode]
const localGet = (index: number): number[] => [0x20, ...unsigned(index)]
const localSet = (index: number): number[] => [0x21, ...unsigned(index)]
const localTee = (index: number): number[] => [0x22, ...unsigned(index)]
const constant = (value: number): number[] => [0x41, ...signed(value)]
const load = (offset: number): number[] => [...simd(0x00), 4, ...unsigned(offset)]
const store = (offset: number): number[] => [...simd(0x0b), 4, ...unsigned(offset)]
const SPLAT = simd(0x0f)
const SWIZZLE = simd(0x0e)
const AND = simd(0x4e)
const XOR = simd(0x51)
const SHIFT_RIGHT = simd(0x6d)

/**
 * A WebAssembly module that exports `memory` and `run(length)`: outputs[o] = sum of coefficient[o][i] × inputs[i] over
 * GF(2^8), 16 bytes a step, up to `length` rounded up to 16. A product is two look-ups in tables of 16 bytes, for the
 * byte's low and high half (Plank, Greenan, Miller: "Screaming Fast Galois Field Arithmetic", FAST 2013). Everything
 * is unrolled. The binary format: WebAssembly Core Specification 2.0, chapter 5.
 */
export function simdModule (inputs: number, outputs: number): Uint8Array<ArrayBuffer> {
  const layout = layoutOf(inputs, outputs)
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    0x01,
    0x00,
    0x00,
    0x00, // "\0asm", version 1
    ...section(1, [1, 0x60, 1, I32, 0]), // types: one, (i32) -> ()
    ...section(3, [1, 0]), // functions: one, of that type
    ...section(5, [1, 0x00, ...unsigned(layout.pages)]), // memories: one
    ...section(7, [2, ...name('memory'), 0x02, 0, ...name('run'), 0x00, 0]), // exports
    ...section(10, [1, ...sized(body(inputs, outputs, layout))]) // code
  ])
}

/** Locals: 0 the length, 1 the position, 2 an input's bytes or their high halves, 3 their low halves, 4… the sums. */
function body (inputs: number, outputs: number, layout: Layout): number[] {
  const code: number[] = [2, 1, I32, ...unsigned(2 + outputs), V128]
  const push = (...parts: number[][]): void => {
    for (const part of parts) code.push(...part)
  }
  push([0x03, 0x40]) // loop
  for (let input = 0; input < inputs; input++) {
    push(localGet(1), load(layout.input(input)), localTee(2), constant(15), SPLAT, AND, localSet(3))
    push(localGet(2), constant(4), SHIFT_RIGHT, localSet(2))
    for (let output = 0; output < outputs; output++) {
      const table = layout.table(input, output)
      push(constant(0), load(table), localGet(3), SWIZZLE, constant(0), load(table + 16), localGet(2), SWIZZLE, XOR)
      if (input > 0) push(localGet(4 + output), XOR)
      push(localSet(4 + output))
    }
  }
  for (let output = 0; output < outputs; output++) {
    push(localGet(1), localGet(4 + output), store(layout.output(output)))
  }
  push(localGet(1), constant(16), [0x6a], localTee(1)) // i32.add
  push(localGet(0), [0x49], [0x0d, 0], [0x0b]) // again while below the length
  push([0x0b])
  return code
}

const section = (id: number, contents: number[]): number[] => [id, ...sized(contents)]
const sized = (contents: number[]): number[] => [...unsigned(contents.length), ...contents]
const name = (text: string): number[] => sized([...new TextEncoder().encode(text)])

function unsigned (value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

/** Signed LEB128 of a number that is not negative. */
function signed (value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signed(value >>> 7)]
}
