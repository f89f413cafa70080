export {
  type BlockEntry,
  entryDay,
  entryObjects,
  entryTimeMs,
  type SectionName,
  type SectionPlace,
} from './block-entry.ts';
export type { CommitResult } from './committer.ts';
export type { CoverStep, LostReason, ManifestEdit } from './edit.ts';
export { type Grave, graveKeys } from './graveyard.ts';
export { type Inventory, setRootAside, takeInventory } from './inventory.ts';
export {
  type Manifest,
  type ManifestContents,
  type ManifestOptions,
  type ManifestSnapshot,
  openManifest,
  type SnapshotOptions,
} from './manifest.ts';
export type { OrdinalRange } from './ordinals.ts';
export {
  blockKey,
  decodeTenant,
  encodeTenant,
  isImmutableKey,
  pageKey,
  rootKey,
  segmentKey,
  tenantPrefix,
} from './paths.ts';
export {
  classOfKeep,
  DEFAULT_CLASS,
  expireBlocks,
  expiresMs,
  keepOfClass,
  type RetentionTimes,
  UNCLASSIFIED,
} from './retention.ts';
export { type SweepOptions, type SweepResult, sweepTenant } from './sweep.ts';
export { listTenants } from './tenants.ts';
export { type IndexEdit, MAX_HOLES, MAX_SEGMENTS, type TraceSegment } from './trace-segment.ts';
