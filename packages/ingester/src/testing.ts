export { createPracticeHead } from './practice/practice-head.ts';
export {
  createLocalBlockCutter,
  createLocalHeadBuilder,
  type LocalHeadBuilder,
  type Pause,
} from './testing/local-parts.ts';
export { spanRequest, spansOf, storedSpans, traceIdOf } from './testing/spans.ts';
