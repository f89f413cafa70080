import { VivaceError } from '@vivace/kernel';
import type { HeadViews } from './head-source.ts';
import type { JobAnswer } from './query-job.ts';

/** What a job was run over besides heads. */
interface Versioned {
  /** Of the root; undefined where it could not be read. */
  version: number | undefined;
}

const NOT_AS_EXPECTED = new VivaceError('canceled', 'query', 'the heads or the root are not what was expected');

/**
 * A job that is begun before other processes have said what their heads hold, over what is expected of them and the root
 * at hand. It is the answer if both prove to be so. What it held is let go when it has ended.
 */
export class EarlyJob<Snapshot extends Versioned, Result> {
  readonly #expected: HeadViews;
  readonly #stop = new AbortController();
  readonly #snapshot: Promise<Snapshot | undefined>;
  readonly #answer: Promise<JobAnswer<Result> | undefined>;

  constructor(
    expected: HeadViews,
    plan: (signal: AbortSignal) => Promise<Snapshot>,
    run: (snapshot: Snapshot, signal: AbortSignal) => Promise<JobAnswer<Result>>,
  ) {
    const { signal } = this.#stop;
    this.#expected = expected;
    this.#snapshot = plan(signal).catch(nothing);
    this.#answer = this.#snapshot
      .then((snapshot) => (snapshot?.version === undefined ? undefined : run(snapshot, signal)))
      .catch(nothing)
      .finally(() => expected.release?.());
  }

  /** The answer over these heads and this root; undefined: it is none, and somebody else has to ask. */
  async answerOver(heads: HeadViews, { version }: Versioned): Promise<JobAnswer<Result> | undefined> {
    if (isSame(heads, this.#expected) && (await this.#snapshot)?.version === version) return this.#answer;
    this.giveUp();
    return undefined;
  }

  /** Nobody waits for it any more. Idempotent. */
  giveUp(): void {
    this.#stop.abort(NOT_AS_EXPECTED);
  }
}

function isSame({ views, chunks = [] }: HeadViews, { chunks: expected = [] }: HeadViews): boolean {
  return views.length === 0 && chunks.length === expected.length && chunks.every(({ id }, i) => id === expected[i]?.id);
}

/** Who asks again hears what is wrong. */
function nothing(): undefined {
  return undefined;
}
