export { type BlockEntry, entryDay, entryObjects, type SectionName, type SectionPlace } from './block-entry.ts';
export type { CommitResult } from './committer.ts';
export type { CoverStep, LostReason, ManifestEdit } from './edit.ts';
export type { Grave } from './graveyard.ts';
export {
  type Manifest,
  type ManifestContents,
  type ManifestOptions,
  type ManifestSnapshot,
  openManifest,
  type SnapshotOptions,
} from './manifest.ts';
export { blockKey, decodeTenant, encodeTenant, rootKey, tenantPrefix } from './paths.ts';
export { type SweepOptions, type SweepResult, sweepTenant } from './sweep.ts';
export { listTenants } from './tenants.ts';
