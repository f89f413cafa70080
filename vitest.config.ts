import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take minutes: begun first, so that none of them runs alone at the end. */
const LONGEST = [
  'packages/manifest/src/model.test.ts',
  'packages/block-query/src/differential.test.ts',
  'test/split.test.ts',
  'test/cluster/cluster.test.ts',
  'test/cluster/partition.test.ts',
  'test/soak/soak.test.ts',
  'test/bucket-log.test.ts',
  'packages/block-query/src/metrics-differential.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}`));
      return place < 0 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'test/**/*.test.ts', 'bench/src/**/*.test.ts', 'scripts/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // On two cores vitest would take one of them; the tests of whole processes wait more than they compute.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
