import { expect, test } from 'vitest';
import { countTests, formatCounts } from './test-counts.ts';

const file = (status: string, ...results: string[]) => ({
  status,
  assertionResults: results.map((result) => ({ status: result })),
});
const report = (passed: number, failed: number, ...testResults: object[]) =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults });

test('passed and failed tests are counted, skipped ones are neither', () => {
  expect(countTests(report(2, 1, file('failed', 'passed', 'passed', 'failed', 'skipped')), 1)).toEqual({
    passed: 2,
    failed: 1,
  });
  expect(countTests(report(2, 0, file('passed', 'passed', 'passed')), 0)).toEqual({ passed: 2, failed: 0 });
});

test('a file that cannot be loaded is a failed test', () => {
  expect(countTests(report(1, 0, file('passed', 'passed'), file('failed')), 1)).toEqual({ passed: 1, failed: 1 });
});

test('a crash is a failed test, with or without a report', () => {
  expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1 });
  expect(countTests('{"numPassed', 1)).toEqual({ passed: 0, failed: 1 });
  expect(countTests('{}', 0)).toEqual({ passed: 0, failed: 1 });
  expect(countTests(report(5, 0, file('passed', 'passed')), 1)).toEqual({ passed: 5, failed: 1 });
});

test('the last line has the two numbers alone', () => {
  expect(formatCounts({ passed: 12, failed: 0 })).toBe('12 passed, 0 failed');
});
