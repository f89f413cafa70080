import { parse } from '@vivace/traceql';
import { expect, test } from 'vitest';
import { classOfKeep, DEFAULT_CLASS, expired, expiresMs, type Retention } from './retention.ts';
import { planEntry } from './testing/plan-entry.ts';

const DAY = 86_400_000;
const NOW = 20_000 * DAY;
const query = parse('{ status = error }');
const withRules: Retention = { keepMs: 7 * DAY, rules: [{ query, keepMs: 30 * DAY }] };
const withoutRules: Retention = { keepMs: 7 * DAY, rules: [] };
const keptDays = (retentionClass: string, retention: Retention) =>
  (expiresMs(planEntry('', { endMs: NOW, retentionClass }), retention) - NOW) / DAY;

test('blocks that nothing was decided of are kept as long as any rule says', () => {
  expect([keptDays('', withoutRules), keptDays('', withRules)]).toEqual([7, 30]);
});

test('what no rule matched follows the retention of today, what one matched what it said then', () => {
  expect([keptDays(DEFAULT_CLASS, withRules), keptDays(classOfKeep(90 * DAY), withoutRules)]).toEqual([7, 90]);
});

test('a class of another program is kept', () => {
  for (const name of ['gold', '12', '-1s', '99999999999s']) expect(keptDays(name, withRules)).toBe(Infinity);
});

test('a rule may be shorter than the retention', () => {
  const short = { keepMs: 7 * DAY, rules: [{ query, keepMs: DAY }] };
  expect([keptDays(classOfKeep(DAY), short), keptDays('', short)]).toEqual([1, 7]);
});

test('retention for ever expires nothing', () => {
  const old = planEntry('old', { endMs: NOW - 1000 * DAY });
  expect(expired([old], { keepMs: Infinity, rules: [] }, NOW)).toEqual([]);
});

test('blocks expire by the end of their data, those of impossible times by when they came', () => {
  const of = (id: string, days: number, more = {}) => planEntry(id, { endMs: NOW - days * DAY, ...more });
  const live = [
    of('young', 6),
    of('edge', 7),
    of('old', 7.01),
    of('future', -400, { misdated: true, commitTimeMs: NOW - 8 * DAY }),
    of('past', 4000, { misdated: true, commitTimeMs: NOW - 6 * DAY }),
  ];
  expect(expired(live, withoutRules, NOW).map(({ id }) => id)).toEqual(['old', 'future']);
});
