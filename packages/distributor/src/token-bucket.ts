/** What sums of fractions may be off by: who waits as long as told is not sent away again for it. */
const ROUNDING = 0.001;

/**
 * A rate with room for bursts: holds up to `burst` tokens and gains `ratePerSecond` of them. Time is handed in,
 * in milliseconds of a clock that does not go back.
 */
export class TokenBucket {
  readonly ratePerSecond: number;
  readonly burst: number;
  private tokens: number;
  private filledMs: number;

  constructor(ratePerSecond: number, burst: number, nowMs: number) {
    this.ratePerSecond = ratePerSecond;
    this.burst = burst;
    this.tokens = burst;
    this.filledMs = nowMs;
  }

  /** Takes `count` tokens and gives 0, or takes none and gives the milliseconds until there will be as many. */
  take(count: number, nowMs: number): number {
    this.tokens = Math.min(this.burst, this.tokens + ((nowMs - this.filledMs) / 1000) * this.ratePerSecond);
    this.filledMs = nowMs;
    if (count <= this.tokens + ROUNDING) {
      this.tokens -= count;
      return 0;
    }
    return Math.ceil(((count - this.tokens) / this.ratePerSecond) * 1000);
  }
}
