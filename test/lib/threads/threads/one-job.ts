import { ThreadPool } from '../../../../lib/threads/thread-pool.ts'

// nothing but the job keeps this process alive
const pool = new ThreadPool(new URL('./doubling', import.meta.url), { threads: 1, idleTimeout: 10 })
console.log(await pool.run(21))
