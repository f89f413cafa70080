export { Dispatcher, type DispatcherOptions } from './dispatcher.ts';
export { Lookout, type LookoutOptions } from './lookout.ts';
export { MeteredEngine } from './metered-engine.ts';
export { MeteredFinder } from './metered-finder.ts';
export { QueryFrontend, type QueryFrontendOptions } from './query-frontend.ts';
export { createQueryMetrics, type QueryKind, type QueryMetrics } from './query-metrics.ts';
export { RemoteQuerier, type RemoteQuerierOptions } from './remote-querier.ts';
