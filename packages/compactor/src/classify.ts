import { readTraces, type TraceBatch } from '@vivace/block';
import { matchesParts, matchNeeds, matchTraces, type RunOptions, SourceFailure } from '@vivace/block-query';
import { dataError, isKind } from '@vivace/kernel';
import { classOfKeep, DEFAULT_CLASS, keepOfClass, UNCLASSIFIED } from '@vivace/manifest';
import type { Classes, ClassifyInput } from './classes.ts';
import type { Retention } from './retention.ts';

export interface ClassifyOptions extends RunOptions {
  inputs: readonly ClassifyInput[];
  retention: Retention;
  /** Of hash tables over what senders chose. */
  seed: number;
  /** Spans that are judged at a time. Default: those of a row group. */
  setRows?: number;
}

/**
 * Decides the classes of traces whose blocks are merged, in the order in which the merge comes to them, and remembers a
 * byte a trace. Rules judge each trace as it is in all inputs together, once any input is not classified yet. A trace gets
 * the longest class that a part of it has or gets.
 */
export async function classify(options: ClassifyOptions): Promise<Classes> {
  const { inputs, retention } = options;
  const isUnclassified = inputs.some(({ place }) => place.retentionClass === UNCLASSIFIED);
  const rules = isUnclassified ? retention.rules : [];
  const ranking = new Ranking(inputs, { ...retention, rules });
  try {
    await rankTraces(options, rules, ranking);
  } catch (error) {
    throw error instanceof SourceFailure ? await blamed(error, options, rules) : error;
  }
  return ranking.classes();
}

async function rankTraces(
  { inputs, seed, setRows, ...run }: ClassifyOptions,
  rules: Retention['rules'],
  ranking: Ranking,
): Promise<void> {
  const options = {
    inputs,
    seed,
    ...(setRows !== undefined && { setRows }),
    signal: run.signal,
    needs: rules.length === 0 ? undefined : rules.map(({ query }) => matchNeeds(query)),
    wholeTraces: !rules.every(({ query }) => matchesParts(query)),
  };
  await readTraces(options, async (batch) => {
    const { set, traceFirst } = batch;
    if (set !== undefined) {
      for (const { query, keepMs } of rules) {
        await matchTraces({ set, traceFirst }, query, run, (trace) => ranking.earn(batch.first + trace, keepMs));
      }
    }
    if (batch.isLast) ranking.settle(batch);
    await run.breathe();
  });
}

/** The longest class of every trace, as a number that is the smaller the longer the class is kept; from 1 on. */
class Ranking {
  readonly #ranks: Uint8Array;
  readonly #names: readonly string[];
  /** Of each input; 0 of those that are not classified. */
  readonly #ofInputs: readonly number[];
  readonly #default: number;
  #count = 0;

  constructor(inputs: readonly ClassifyInput[], retention: Retention) {
    const ofInputs = inputs.map(({ place }) => place.retentionClass);
    const ofRules = retention.rules.map(({ keepMs }) => classOfKeep(keepMs));
    const names = new Set([DEFAULT_CLASS, ...ofRules, ...ofInputs.filter((name) => name !== UNCLASSIFIED)]);
    const keepOf = (name: string): number => keepOfClass(name, retention);
    this.#names = [...names].sort((a, b) => keepOf(b) - keepOf(a) || (a < b ? -1 : 1));
    this.#ofInputs = ofInputs.map((name) => this.#names.indexOf(name) + 1);
    this.#default = this.#names.indexOf(DEFAULT_CLASS) + 1;
    this.#ranks = new Uint8Array(inputs.reduce((sum, { place }) => sum + place.traces, 0));
  }

  /** A rule matches a trace. */
  earn(trace: number, keepMs: number): void {
    this.#raise(trace, this.#names.indexOf(classOfKeep(keepMs)) + 1);
  }

  /** All rules have judged the traces of a batch. */
  settle({ first, count, eachInput }: TraceBatch): void {
    if (first + count > this.#ranks.length) {
      throw dataError('merge-input', 'blocks have more traces than their entries say');
    }
    this.#count = first + count;
    for (let t = 0; t < count; t++) {
      const unmatched = this.#ranks[first + t] === 0;
      eachInput(t, (input) => {
        const own = this.#ofInputs[input] as number;
        if (own > 0) this.#raise(first + t, own);
        else if (unmatched) this.#raise(first + t, this.#default);
      });
    }
  }

  classes(): Classes {
    const ranks = this.#ranks;
    const places = new Int32Array(this.#names.length + 1).fill(-1);
    const names: string[] = [];
    for (let trace = 0; trace < this.#count; trace++) places[ranks[trace] as number] = 0;
    for (const [i, name] of this.#names.entries()) if (places[i + 1] === 0) places[i + 1] = names.push(name) - 1;
    if (names.length === 0) names.push(DEFAULT_CLASS);
    return { names, placeOf: (number) => places[ranks[number] as number] as number };
  }

  #raise(trace: number, rank: number): void {
    const known = this.#ranks[trace];
    if (known === 0 || (known as number) > rank) this.#ranks[trace] = rank;
  }
}

/** Bytes that queries cannot read are of one of the blocks: the first that is no better by itself. */
async function blamed(failure: SourceFailure, options: ClassifyOptions, rules: Retention['rules']): Promise<unknown> {
  const { cause } = failure;
  if (!isKind(cause, 'data')) return cause;
  for (const input of options.inputs) {
    const alone = { ...options, inputs: [input] };
    try {
      await rankTraces(alone, rules, new Ranking([input], options.retention));
    } catch (error) {
      if (!(error instanceof SourceFailure)) return error;
      return dataError('merge-input', `block ${input.place.id}: ${cause.message}`, cause);
    }
  }
  return cause;
}
