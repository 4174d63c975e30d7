/** Counts and times what is done. */
export interface StorageMeter {
  operation<T> (part: 'storage', name: 'append' | 'put' | 'read' | 'fold', run: () => Promise<T>): Promise<T>
  /** A batch of appends was written to the journal. */
  committed (seconds: number, records: number, bytes: number): void
}

/** Counts nothing. */
export const unmetered: StorageMeter = { operation: (_part, _name, run) => run(), committed () {} }
