import { renderFlagHelp } from '@vivace/config';
import { VERSION } from './version.ts';

export function renderHelp(): string {
  return `Vivace ${VERSION}, a distributed-trace store on object storage

Usage: npm start -- [flags]

${renderFlagHelp().join('\n')}
  --config FILE           settings as YAML; docs/config.md lists them all
  --version               print the version
  --help                  print this

Every setting has an environment variable, such as VIVACE_SERVER_HTTP_LISTEN_PORT.
Without flags: everything on 127.0.0.1, HTTP API on 3200, OTLP gRPC on 4317,
OTLP HTTP on 4318, data below ./data.

  npm run demo            send some traces to a running server
`;
}
