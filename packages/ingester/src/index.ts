export type { BlockCutter, CutBlock, CutOptions } from './block-cutter.ts';
export type { HeadBuilder, HeadRequest, PushReply } from './head-builder.ts';
export { Heads, type PushOutcome, type SealedHead } from './heads.ts';
export { type HeadTrace, Ingester, type IngesterLimits, type IngesterOptions, type PushResult } from './ingester.ts';
export { createWorkerHeadBuilder } from './worker-head-builder.ts';
