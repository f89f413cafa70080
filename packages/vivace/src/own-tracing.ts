import { hostname } from 'node:os';
import type { Config } from '@vivace/config';
import type { Clock, Random } from '@vivace/kernel';
import { createPost, Tracer } from '@vivace/self-tracing';
import type { Logger, Metrics } from '@vivace/telemetry';
import { VERSION } from './version.ts';

/** What traces a sample of our own work; undefined where nobody asked for it. */
export function createTracer(
  config: Config,
  parts: { clock: Clock; random: Random; logger: Logger; metrics: Metrics },
): Tracer | undefined {
  const { otlp_endpoint, sample_one_in } = config.tracing;
  if (otlp_endpoint === '') return undefined;
  const { instance_name } = config.ingester;
  return new Tracer({
    ...parts,
    send: createPost(otlp_endpoint),
    oneIn: sample_one_in,
    resource: {
      'service.name': 'vivace',
      'service.version': VERSION,
      'service.instance.id': instance_name === '' ? hostname() : instance_name,
      'vivace.target': config.target,
    },
  });
}
