import { fraction, seededRandom, uuidV7 } from '@vivace/kernel';
import type { BlockEntry } from '@vivace/manifest';
import { type PlanOptions, planJobs } from '../plan-jobs.ts';
import { planEntry } from './plan-entry.ts';

/** What is sent, and how it is cut. */
export interface SimulatedLoad {
  days: number;
  spansPerSecond: number;
  /** Processes that cut blocks of their own. */
  ingesters: number;
  cutIntervalMs: number;
  /** Spans at which a generation is cut early. */
  generationRows: number;
  /** Part of the cuts whose data is hours old. */
  lateShare: number;
}

export interface SimulatedPlan {
  ingestedRows: number;
  /** Rows of all merges, a row once for each that rewrites it. */
  mergedRows: number;
  jobs: number;
  /** The most blocks that were live at the end of a step. */
  maxLive: number;
  /** At the end: of the last day, and of each day before it on average. */
  liveToday: number;
  livePerDay: number;
  largestRows: number;
}

const DAY_MS = 86_400_000;
const START_MS = 20_000 * DAY_MS;

/** Runs the planner over days of cuts; a merge is done at once, and puts everything into one block. */
export function simulatePlanning(load: SimulatedLoad, options: Omit<PlanOptions, 'nowMs'>): SimulatedPlan {
  const random = seededRandom(1);
  let live: BlockEntry[] = [];
  const result: SimulatedPlan = {
    ingestedRows: 0,
    mergedRows: 0,
    jobs: 0,
    maxLive: 0,
    liveToday: 0,
    livePerDay: 0,
    largestRows: 0,
  };
  const endMs = START_MS + load.days * DAY_MS;
  const rate = load.spansPerSecond / load.ingesters / 1000;
  const stepMs = Math.min(load.cutIntervalMs, load.generationRows / rate);
  let planMs = START_MS;
  for (let nowMs = START_MS + stepMs; nowMs <= endMs; nowMs += stepMs) {
    for (let ingester = 0; ingester < load.ingesters; ingester++) {
      const rows = Math.max(1, Math.round(rate * stepMs * (0.5 + fraction(random))));
      const lateMs = fraction(random) < load.lateShare ? fraction(random) * 20 * 3_600_000 : 0;
      live.push(planEntry(uuidV7(nowMs, random), { rows, endMs: nowMs - lateMs, commitTimeMs: nowMs }));
      result.ingestedRows += rows;
    }
    if (nowMs < planMs) continue;
    planMs = nowMs + 30_000;
    for (;;) {
      const [job] = planJobs(live, { ...options, nowMs });
      if (job === undefined) break;
      const inputs = new Set(job.inputs);
      live = live.filter((entry) => !inputs.has(entry));
      live.push(mergedEntry(uuidV7(nowMs, random), job.inputs, job.level));
      result.mergedRows += job.rows;
      result.jobs++;
    }
    result.maxLive = Math.max(result.maxLive, live.length);
  }
  const isToday = ({ maxEnd }: BlockEntry): boolean => Number(maxEnd / 1_000_000n) >= endMs - DAY_MS;
  result.liveToday = live.filter(isToday).length;
  result.livePerDay = (live.length - result.liveToday) / Math.max(1, load.days - 1);
  result.largestRows = live.reduce((most, { rows }) => Math.max(most, rows), 0);
  return result;
}

function mergedEntry(id: string, inputs: readonly BlockEntry[], level: number): BlockEntry {
  const rows = inputs.reduce((sum, entry) => sum + entry.rows, 0);
  const endMs = inputs.reduce((latest, { maxEnd }) => Math.max(latest, Number(maxEnd / 1_000_000n)), 0);
  const commitTimeMs = inputs.reduce((latest, entry) => Math.max(latest, entry.commitTimeMs), 0);
  return planEntry(id, { rows, endMs, commitTimeMs, level });
}
