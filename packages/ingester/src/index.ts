export type { BlockCutter, CutBlock, CutOptions } from './block-cutter.ts';
export type { BlockShape } from './cut.ts';
export type { HeadBuilder, HeadRequest, PushReply } from './head-builder.ts';
export { Heads, type HeadView, type PushOutcome, type SealedHead } from './heads.ts';
export { type HeadTrace, Ingester, type IngesterLimits, type IngesterOptions } from './ingester.ts';
export { createWorkerBlockCutter } from './worker-block-cutter.ts';
export { createWorkerHeadBuilder } from './worker-head-builder.ts';
