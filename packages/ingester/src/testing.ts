export {
  createLocalBlockCutter,
  createLocalHeadBuilder,
  type LocalHeadBuilder,
  type Pause,
} from './testing/local-parts.ts';
