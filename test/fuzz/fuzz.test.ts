import { describe, expect, test } from 'vitest';
import type { Failure } from './fuzz-task.ts';
import { fuzz } from './fuzzing.ts';
import { minimise } from './minimise.ts';
import { TARGETS } from './targets.ts';

// The same inputs each time, as far as the time goes: what fails here worked before. `npm run fuzz` looks for what
// nobody has tried, for as long as one likes.
const seed = Number(process.env.VIVACE_TEST_SEED ?? 1);

/** What takes many inputs to be seen is tried for longer. */
const SECONDS: ReadonlyMap<string, number> = new Map([
  ['traceql', 15],
  ['queries', 15],
  ['asked', 10],
]);

describe('some seconds of hostile bytes', () => {
  test.each([...TARGETS.keys()])('find no fault in %s', async (target) => {
    const { inputs, failures } = await fuzz({ target, seed, seconds: SECONDS.get(target) ?? 3 });
    expect(failures.map(described)).toEqual([]);
    expect(inputs).toBeGreaterThan(10);
  });
});

function described({ target, input, message }: Failure): string {
  return `npm run fuzz -- --target ${target} --seed ${seed} --input ${input}: ${message}`;
}

describe('the fuzzer', () => {
  test('makes an input smaller while it fails in the same way', async () => {
    const input = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    const fails = async (bytes: Uint8Array) => bytes[0] === 0 && bytes.includes(0x77) && bytes.includes(0x78);
    expect([...(await minimise(input, 1, fails))]).toEqual([0, 0x77, 0x78]);
  });

  test('goes on after an input that hangs, that crashes and that is slow, and says which they are', async () => {
    const { inputs, failures } = await fuzz({ target: 'self-test', seed: 1, seconds: 60, inputs: 50, hangMs: 8000 });
    expect(inputs).toBe(50);
    expect(failures.map(({ input, message }) => `${input}: ${message}`)).toEqual([
      '10: a wrong answer',
      '20: the input hangs, or ends its thread: no end after 8000 ms',
      expect.stringMatching(/^30: the input of 4 bytes took 1\d{8} bytes of memory$/),
      expect.stringMatching(/^40: the input took \d{4} ms$/),
    ]);
  });
});
