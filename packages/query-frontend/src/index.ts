export { QueryFrontend, type QueryFrontendOptions } from './query-frontend.ts';
