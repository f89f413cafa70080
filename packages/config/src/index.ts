export { renderDocumentation, renderFlagHelp } from './documentation.ts';
export { type Endpoint, formatEndpoint, parseEndpoint } from './endpoint.ts';
export type { Environment } from './expand.ts';
export { type ConfigFlag, configFlags } from './flags.ts';
export { type ConfigSources, loadConfig } from './load.ts';
export { nearest } from './nearest.ts';
export {
  type OverridesText,
  type RetentionRuleText,
  readOverrides,
  type TenantOverridesText,
} from './overrides.ts';
export { configTree, redactUrl, renderConfig } from './render.ts';
export { type Config, logBackend, singleObjectMaxBytes } from './schema.ts';
