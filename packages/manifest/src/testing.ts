export { decodeEntryPage, decodeGravePage, encodeEntryPage, encodeGravePage } from './page.ts';
export { decodeRoot, emptyRoot, encodeRoot } from './root.ts';
export {
  type Coordinator,
  type CoordinatorOptions,
  type CoordinatorRules,
  openModelIngester,
} from './testing/model-ingester.ts';
export { Violation } from './testing/oracle.ts';
export { blockContent, decodeBlock, decodeRecord, encodeBlock, encodeRecord } from './testing/records.ts';
export { type FaultRates, NO_FAULTS, SimulatedBucket } from './testing/simulated-bucket.ts';
export { type LogFormat, type LogRules, SimulatedLog } from './testing/simulated-log.ts';
export { type Sabotage, type SimulationOptions, type SimulationResult, simulate } from './testing/simulation.ts';
export { SimulatedProcess, World } from './testing/world.ts';
