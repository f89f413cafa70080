import type { BenchOptions } from './options.ts';
export async function runMicro(_o: BenchOptions): Promise<number> {
  return 0;
}
