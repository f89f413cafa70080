import type { Metrics } from '@vivace/telemetry';

/** Something that is bounded in bytes, and what of it is in use. */
interface Budget {
  /** A word; few of them. */
  name: string;
  usedBytes: () => number;
  maxBytes: number;
}

export interface Budgets {
  add: (budget: Budget) => void;
}

/** Shows what is in use of everything that is bounded, and the bound: an alert needs no knowledge of the settings. */
export function createBudgets(metrics: Metrics): Budgets {
  const budgets: Budget[] = [];
  metrics.gauge<'budget'>({
    name: 'vivace_budget_used_bytes',
    help: 'Bytes in use of what is bounded: heads, the log, requests under way, caches.',
    labels: ['budget'],
    collect: (set) => {
      for (const { name, usedBytes } of budgets) set({ budget: name }, usedBytes());
    },
  });
  metrics.gauge<'budget'>({
    name: 'vivace_budget_limit_bytes',
    help: 'The bound of it.',
    labels: ['budget'],
    collect: (set) => {
      for (const { name, maxBytes } of budgets) set({ budget: name }, maxBytes);
    },
  });
  return { add: (budget) => void budgets.push(budget) };
}
