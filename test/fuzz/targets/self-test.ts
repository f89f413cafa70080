import { expectThat, type FuzzTarget } from '../fuzz-target.ts';

/** Not a parser: a few of its inputs do what the fuzzer must notice. Each input is its number. */
export function selfTestTarget(): FuzzTarget {
  const kept: Uint8Array[] = [];
  return {
    keepBytes: 4,
    make: (_, number) => new Uint8Array(Uint32Array.of(number).buffer),
    check(input) {
      const begin = process.threadCpuUsage();
      const number = new Uint32Array(input.slice().buffer)[0];
      expectThat(number !== 10, 'a wrong answer');
      if (number === 20) for (;;);
      if (number === 30) kept.push(new Uint8Array(1e8));
      if (number === 40) while (process.threadCpuUsage(begin).user < 1_500_000);
    },
  };
}
