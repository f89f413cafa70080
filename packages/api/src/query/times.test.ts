import { describe, expect, test } from 'vitest';
import { parseMoment, parseStep } from './moments.ts';
import { parametersOf } from './parameters.ts';
import { alignRange, checkStep, defaultStep } from './steps.ts';
import { SEARCH_WINDOW, TAG_WINDOW, windowParameters } from './time-window.ts';

const S = 1_000_000_000n;
const NOW_MS = 1_795_000_000_500;
const NOW = BigInt(NOW_MS) * 1_000_000n;

function window(query: string, of = SEARCH_WINDOW) {
  return windowParameters(parametersOf(`http://x/?${query}`), of, NOW_MS);
}

describe('the range of a search', () => {
  test('is the last quarter of an hour, of tags the last day, without start and end', () => {
    expect(window('')).toEqual({ startUnixNano: NOW - 900n * S, endUnixNano: NOW });
    expect(window('start=0&end=0')).toEqual(window(''));
    expect(window('', TAG_WINDOW)).toEqual({ startUnixNano: NOW - 86_400n * S, endUnixNano: NOW });
    expect(window('since=2h')).toEqual({ startUnixNano: NOW - 7200n * S, endUnixNano: NOW });
  });

  test('is whole seconds, and longer for tags', () => {
    expect(window('start=100&end=200')).toEqual({ startUnixNano: 100n * S, endUnixNano: 200n * S });
    expect(window('start=100&end=200&since=1h')).toEqual(window('start=100&end=200'));
    expect(window('start=1&end=4294967295', TAG_WINDOW).endUnixNano).toBe(4_294_967_295n * S);
    expect(window('start=1000&end=605800').startUnixNano).toBe(1000n * S);
  });

  test.each([
    ['start=100', 'http parameter start must be before end. received start=100 end=0\n'],
    ['end=100', 'http parameters start and end must be given together. received start=0 end=100\n'],
    ['start=200&end=100', 'http parameter start must be before end. received start=200 end=100\n'],
    ['start=100&end=100', 'http parameter start must be before end. received start=100 end=100\n'],
    ['start=1000&end=605801', 'range specified by start and end exceeds 168h0m0s. received start=1000 end=605801\n'],
    ['since=400d', 'range specified by start and end exceeds 168h0m0s. received start='],
    ['start=x&end=2', "invalid start: 'x' are no Unix seconds\n"],
    ['start=-1&end=2', "invalid start: '-1' are no Unix seconds\n"],
    ['start=1.5&end=2', "invalid start: '1.5' are no Unix seconds\n"],
    ['start=4294967296&end=2', "invalid start: '4294967296' are no Unix seconds\n"],
    ['since=soon', "could not parse 'since' parameter: 'soon'\n"],
    ['since=0s', "could not parse 'since' parameter: '0s'\n"],
  ])('%s is refused and says what to do', (query, message) => {
    expect(() => window(query)).toThrow(message);
    expect(() => window(query)).toThrow(/\n\w.+$/);
  });
});

test('moments are seconds, nanoseconds or dates', () => {
  expect(['0', '1795000000', '1795000000123456789', '1795000000.5', '17950000001'].map(parseMoment)).toEqual([
    0n,
    1_795_000_000n * S,
    1_795_000_000_123_456_789n,
    1_795_000_000n * S + 500_000_000n,
    17_950_000_001n,
  ]);
  expect(parseMoment('2026-11-18T12:26:40Z')).toBe(1_795_004_800n * S);
  expect(parseMoment('2026-11-18t13:26:40.000000001+01:00')).toBe(1_795_004_800n * S + 1n);
  for (const bad of ['', 'now', '-1', '1e9', '9223372036854775808', '2026-13-01T00:00:00Z', '1.2.3', '2026-11-18']) {
    expect(parseMoment(bad), bad).toBeUndefined();
  }
});

test('steps are seconds or durations', () => {
  expect(['30', '0.5', '30s', '1800s', '5m', '1h30m', '50ms', '1d'].map(parseStep)).toEqual(
    [30, 0.5, 30, 1800, 300, 5400, 0.05, 86_400].map((seconds) => BigInt(seconds * 1000) * 1_000_000n),
  );
  for (const bad of ['', '-1', '-5s', 'soon', '1e3']) expect(parseStep(bad), bad).toBeUndefined();
});

describe('the step of a metrics query', () => {
  test.each([
    [10, 0.05],
    [59, 0.2],
    [60, 1],
    [600, 2],
    [3600, 15],
    [6 * 3600, 60],
    [24 * 3600, 300],
    [7 * 24 * 3600, 2400],
  ])('is by default round, for a range of %d s %d s', (seconds, step) => {
    expect(Number(defaultStep({ startUnixNano: 0n, endUnixNano: BigInt(seconds) * S })) / 1e9).toBe(step);
  });

  test('gives at most 10,000 intervals', () => {
    const range = { startUnixNano: 0n, endUnixNano: 3600n * S };
    expect(() => checkStep(1_000_000n, range)).toThrow(
      'step of 1ms is too small, minimum step for given range is 360ms\n',
    );
    expect(() => checkStep(360_000_000n, range)).not.toThrow();
  });
});

describe('the intervals of a metrics query', () => {
  const at = (seconds: number) => BigInt(seconds) * S;

  test('are whole steps: from the one that ends at the start to the one that has the end in it', () => {
    const far = 10_000_000;
    expect(alignRange({ startUnixNano: at(100), endUnixNano: at(160) }, at(10), far)).toEqual({
      range: { startUnixNano: at(90), endUnixNano: at(160) },
      stepNanos: at(10),
      intervals: 7,
    });
    expect(alignRange({ startUnixNano: at(105), endUnixNano: at(161) }, at(10), far).range).toEqual({
      startUnixNano: at(90),
      endUnixNano: at(170),
    });
  });

  test('end with the one that has the moment of now in it', () => {
    const { range } = alignRange({ startUnixNano: at(100), endUnixNano: at(500) }, at(10), 205_000);
    expect(range.endUnixNano).toBe(at(210));
    const future = alignRange({ startUnixNano: at(300), endUnixNano: at(500) }, at(10), 205_000);
    expect([future.range.endUnixNano, future.intervals]).toEqual([at(300), 1]);
  });

  test('are one, the range itself, when the step is as long', () => {
    const range = { startUnixNano: at(105), endUnixNano: at(165) };
    for (const step of [60, 61, 3600]) {
      expect(alignRange(range, at(step), 1_000_000)).toEqual({ range, stepNanos: at(60), intervals: 1 });
    }
  });

  test('never begin before 1970', () => {
    const { range } = alignRange({ startUnixNano: at(5), endUnixNano: at(100) }, at(10), 10_000_000);
    expect(range.startUnixNano).toBe(0n);
  });
});
