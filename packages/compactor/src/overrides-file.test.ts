import { createLogger } from '@vivace/telemetry';
import { expect, test } from 'vitest';
import { OverridesFile } from './overrides-file.ts';
import { createShiftedClock } from './testing/shifted-clock.ts';

const HOUR = 3_600_000;

function setUp(text: string) {
  const clock = createShiftedClock();
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const state = { text, failure: undefined as Error | undefined };
  const file = new OverridesFile({
    name: 'overrides.yaml',
    read: async () => {
      if (state.failure) throw state.failure;
      return state.text;
    },
    defaultKeepMs: 14 * 24 * HOUR,
    periodMs: 1000,
    clock: {
      ...clock,
      after: (_ms, callback) => {
        timers.push(callback);
        return () => void timers.splice(timers.indexOf(callback), 1);
      },
    },
    logger: createLogger({
      level: 'info',
      format: 'json',
      stream: { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
    }),
  });
  return { file, lines, timers, state };
}

test('what has changed is in use after the next look', async () => {
  const { file, state, timers, lines } = setUp('overrides:\n  a: { retention: 7d }\n');
  await file.start();
  expect([file.retention('a').keepMs, file.retention('b').keepMs]).toEqual([168 * HOUR, 336 * HOUR]);
  state.text = 'overrides:\n  b: { retention: 0 }\n';
  timers.shift()?.();
  await expect.poll(() => timers.length).toBe(1);
  expect([file.retention('a').keepMs, file.retention('b').keepMs]).toEqual([336 * HOUR, Infinity]);
  expect(lines).toEqual(['the overrides have changed and are in use']);
  await file.stop();
  expect(timers).toEqual([]);
});

test('a file that is wrong or gone changes nothing, and says so once', async () => {
  const { file, state, lines } = setUp('overrides:\n  a: { retention: 7d }\n');
  await file.start();
  state.text = 'overrides:\n  a: { retention: never }\n';
  await file.look();
  await file.look();
  expect([file.isBad, file.retention('a').keepMs]).toEqual([true, 168 * HOUR]);
  expect(lines).toEqual([
    expect.stringMatching(/^the overrides stay as they were: overrides.yaml:2: retention must be/),
  ]);
  state.failure = new Error('ENOENT');
  await file.look();
  expect(lines.at(-1)).toBe('the overrides stay as they were: ENOENT');
  state.failure = undefined;
  state.text = 'overrides:\n  a: { retention: 7d }\n';
  await file.look();
  expect([file.isBad, lines.at(-1)]).toEqual([false, 'the overrides are as before again']);
});

test.each([
  ['overrides: [', /overrides\.yaml:1/],
  ["overrides:\n  a:\n    retention_rules: [{ filter: '{ status = }', keep: 7d }]\n", /overrides\.yaml:3: .*/],
  ["overrides:\n  a:\n    retention_rules: [{ filter: '{} | rate()', keep: 7d }]\n", /a rule is a search, not metrics/],
])('a start with %j is refused', async (text, message) => {
  await expect(setUp(text).file.start()).rejects.toThrow(message);
});

test('a rule is TraceQL, and is kept as such', async () => {
  const { file } = setUp("overrides:\n  '*':\n    retention_rules: [{ filter: '{ status = error }', keep: 30d }]\n");
  await file.start();
  expect(file.retention('any').rules).toMatchObject([
    { keepMs: 720 * HOUR, query: { pipeline: { stages: [{ kind: 'filter' }] } } },
  ]);
});
