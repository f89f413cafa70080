export { createScheduler, type Scheduler } from './testing/scheduler.ts';
export {
  type FileOperation,
  type FileOperationName,
  SimulatedFiles,
  type SimulatedFilesOptions,
} from './testing/simulated-files.ts';
