export interface Counts {
  passed: number;
  failed: number;
}

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

/**
 * What vitest's JSON report says, made safe: a file that could not be loaded counts as one failed test, and
 * a run that ended badly without a failed test (a crash, an error outside every test, no report) as one more.
 */
export function countTests(reportText: string | undefined, exitCode: number): Counts {
  const report = parse(reportText);
  if (report === undefined) return { passed: 0, failed: 1 };
  const unloaded = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((result) => result.status === 'failed'),
  ).length;
  const failed = report.numFailedTests + unloaded;
  return { passed: report.numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

export function formatCounts({ passed, failed }: Counts): string {
  return `${passed} passed, ${failed} failed`;
}

function parse(text: string | undefined): Report | undefined {
  try {
    const report = JSON.parse(text ?? '') as Report;
    return Number.isInteger(report.numPassedTests) && Array.isArray(report.testResults) ? report : undefined;
  } catch {
    return undefined;
  }
}
