/** What a worker is to try. */
export interface FuzzTask {
  target: string;
  seed: number;
  seconds: number;
  firstInput: number;
  /** At most so many. */
  inputs: number;
  /** A Float64Array of one: the number of the input that is being tried. */
  progress: SharedArrayBuffer;
}

export interface Failure {
  target: string;
  seed: number;
  /** With the seed: which input it was before it was made smaller. */
  input: number;
  message: string;
  stack: string;
  /** The smallest input found that fails so; undefined where trying it never ended. */
  bytes: Uint8Array | undefined;
}

export type WorkerMessage = { kind: 'failure'; failure: Failure } | { kind: 'done'; inputs: number; seconds: number };
