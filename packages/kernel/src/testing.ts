export { createTestAuthority, type TestAuthority, type TestCertificate } from './testing/certificates.ts';
export { createScheduler, type Scheduler } from './testing/scheduler.ts';
export {
  type FileOperation,
  type FileOperationName,
  SimulatedFiles,
  type SimulatedFilesOptions,
} from './testing/simulated-files.ts';
