import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '@vivace/config';
import { startS3Target } from '@vivace/object-store/testing';
import { Ajv } from 'ajv';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { s3Env } from '../harness/s3-env.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';
import { typeErrors } from './check-types.ts';
import {
  kindOf,
  type Manifest,
  ofKind,
  podOf,
  readManifests,
  selects,
  type Workload,
  workloadsOf,
} from './manifests.ts';
import { OPERATOR_SCHEMAS } from './operator-schemas.ts';
import { readText } from './read-text.ts';
import { CHART, type Rendered, renderChart } from './render-chart.ts';

// The chart of helm/vivace with every set of values of its ci/, rendered and looked at as a cluster would.

const KINDS = new Set([
  'apps/v1/Deployment',
  'apps/v1/StatefulSet',
  'autoscaling/v2/HorizontalPodAutoscaler',
  'networking.k8s.io/v1/Ingress',
  'networking.k8s.io/v1/NetworkPolicy',
  'policy/v1/PodDisruptionBudget',
  'v1/ConfigMap',
  'v1/Service',
  'v1/ServiceAccount',
]);
const STOP_SECONDS = 30;
const CLI = path.resolve(import.meta.dirname, '../../packages/vivace/src/cli/main.ts');

const directory = temporaryDirectory();
const refusedFile = (name: string, text: string) => {
  const file = path.join(directory.path, `${name}.yaml`);
  writeFileSync(file, text);
  return file;
};
const refused = {
  'refused-no-bucket': refusedFile('no-bucket', 'mode: single\n'),
  'refused-latest': refusedFile('latest', 'storage: { s3: { bucket: b } }\nimage: { tag: latest }\n'),
};
const rendered = await renderChart(refused).finally(() => directory.remove());
console.log(
  rendered === undefined
    ? 'chart: SKIPPED, neither helm nor go with sprig is here'
    : `chart: rendered by ${rendered.by}`,
);

const good: Rendered[] = rendered?.sets.filter(({ name }) => !name.startsWith('refused')) ?? [];
const manifestsOf = new Map<string, Manifest[]>();

describe.skipIf(rendered === undefined)('the chart', () => {
  beforeAll(() => {
    for (const { name, text, error } of good) {
      if (text === undefined) throw new Error(`${name} is refused: ${error}`);
      manifestsOf.set(name, readManifests(text));
    }
  });

  test('is rendered with at least twelve sets of values, both modes among them', () => {
    expect(good.length).toBeGreaterThanOrEqual(12);
    const kinds = new Set([...manifestsOf.values()].flatMap((manifests) => manifests.map(kindOf)));
    for (const kind of KINDS) expect(kinds, kind).toContain(kind);
    const components = [...manifestsOf.values()].flatMap(workloadsOf).map(componentOf);
    expect(new Set(components)).toEqual(
      new Set(['all', 'distributor', 'ingester', 'querier', 'query-frontend', 'compactor']),
    );
  });

  test('refuses to be installed without a bucket, and an image that is not one version', () => {
    const errors = new Map(rendered?.sets.map(({ name, error }) => [name, error]));
    expect(errors.get('refused-no-bucket')).toMatch(/bucket/);
    expect(errors.get('refused-latest')).toMatch(/latest|tag/);
  });

  test('makes manifests that are what Kubernetes calls so, to the last field', async () => {
    const all = [...manifestsOf.values()].flat();
    expect(await typeErrors(all, KINDS)).toEqual([]);
    const ajv = new Ajv({ allErrors: true });
    for (const manifest of all.filter((one) => !KINDS.has(kindOf(one)))) {
      const schema = OPERATOR_SCHEMAS[kindOf(manifest)];
      if (schema === undefined) throw new Error(`nobody checks ${kindOf(manifest)}`);
      expect(ajv.validate(schema, manifest), ajv.errorsText()).toBe(true);
    }
  });

  test('is checked by types that find a wrong field', async () => {
    const [service] = ofKind([...manifestsOf.values()].flat(), 'v1/Service');
    const wrong = { ...service, spec: { ...service?.spec, selectors: {} } } as unknown as Manifest;
    expect((await typeErrors([wrong], KINDS)).join()).toContain('selectors');
  });

  test('makes every name only once, in its own namespace', () => {
    for (const [name, manifests] of manifestsOf) {
      const names = manifests.map((manifest) => `${kindOf(manifest)} ${manifest.metadata.name}`);
      expect(new Set(names).size, name).toBe(names.length);
      for (const manifest of manifests) expect(manifest.metadata.namespace, name).toBe('observability');
    }
  });

  test('gives every process settings that it accepts', () => {
    let checked = 0;
    for (const [name, manifests] of manifestsOf) {
      for (const workload of workloadsOf(manifests)) {
        const target = componentOf(workload) ?? '';
        const container = containerOf(workload);
        const args = container.args ?? [];
        const flags = new Map<string, string>();
        for (let i = 0; i < args.length; i += 2)
          flags.set((args[i] as string).replace(/^--/, ''), args[i + 1] as string);
        const file = flags.get('config') as string;
        const text = mountedText(manifests, workload, file);
        const env = Object.fromEntries(
          (container.env ?? []).map((entry) => [entry.name, entry.value ?? 'from-the-cluster']),
        );
        const config = loadConfig({ file: { name: file, text }, env, flags });
        expect(config.target, name).toBe(target);
        expect(config.ingester.wal.backend, name).toBe('bucket');
        expect(config.storage.trace.backend, name).toBe('s3');
        // Of a stop, which is cut off after that, enough is left for what is under way.
        expect(config.shutdown_delay, name).toBeLessThanOrEqual((STOP_SECONDS * 1000) / 2);
        for (const address of [...config.ingester_client.addresses, ...config.querier_client.addresses]) {
          checkService(manifests, address);
        }
        const overrides = config.overrides.per_tenant_override_config;
        if (overrides !== '') expect(parse(mountedText(manifests, workload, overrides))).toHaveProperty('overrides');
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(40);
  });

  test('gives settings that `vivace config check` finds right, and an argument that it does not know is found', async () => {
    const place = temporaryDirectory();
    try {
      for (const name of ['single', 'distributed']) {
        const manifests = manifestsOf.get(name) ?? [];
        const checks = workloadsOf(manifests).map(async (workload) => {
          const [, config, ...flags] = containerOf(workload).args ?? [];
          const file = path.join(place.path, `${componentOf(workload)}.yaml`);
          writeFileSync(file, mountedText(manifests, workload, config as string));
          const good = await checkConfig(['--config', file, ...flags]);
          expect(good, good.output).toMatchObject({ code: 0 });
        });
        await Promise.all(checks);
      }
      expect((await checkConfig(['--target', 'ingestor'])).output).toContain('--target');
    } finally {
      place.remove();
    }
  });

  test('has probes that a process with its settings answers, until it is asked to stop', async () => {
    const place = temporaryDirectory();
    const bucket = await startS3Target();
    try {
      const manifests = manifestsOf.get('single') ?? [];
      const [workload] = workloadsOf(manifests) as [Workload];
      const container = containerOf(workload);
      const file = path.join(place.path, 'vivace.yaml');
      writeFileSync(file, mountedText(manifests, workload, container.args?.[1] as string));
      // The bucket of the test, and no time for a load balancer to notice.
      const env = { ...s3Env(bucket, { endpoint: bucket.endpoint, prefix: 'chart' }), VIVACE_SHUTDOWN_DELAY: '4s' };
      const server = await startServer({ dataDir: place.path, flags: ['--config', file], env });
      try {
        const { startupProbe, readinessProbe, livenessProbe } = container;
        const ask = async (probe: typeof startupProbe) => (await fetch(server.http + probe?.httpGet?.path)).status;
        expect([await ask(startupProbe), await ask(readinessProbe), await ask(livenessProbe)]).toEqual([200, 200, 200]);
        const stopped = server.stop();
        await expect.poll(() => ask(readinessProbe), { timeout: 3500, interval: 20 }).toBe(503);
        expect(await ask(livenessProbe)).toBe(200);
        expect(await stopped, server.output()).toBe(0);
      } finally {
        await server.kill();
      }
    } finally {
      await bucket.close();
      place.remove();
    }
  });

  test.for(good)('keeps $name within the restricted standard, with an image of one version', ({ name }) => {
    for (const workload of workloadsOf(manifestsOf.get(name) ?? [])) {
      const { spec } = podOf(workload);
      const container = containerOf(workload);
      expect(spec?.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(spec?.securityContext?.runAsUser).toBeGreaterThan(0);
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(spec?.hostNetwork ?? spec?.hostPID ?? spec?.hostIPC ?? false).toBe(false);
      expect(spec?.automountServiceAccountToken).toBe(false);
      expect(container.image).toMatch(/:\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?$/);
      expect(container.resources?.requests).toHaveProperty('memory');
      expect(container.resources?.limits).toHaveProperty('memory');
      for (const volume of spec?.volumes ?? []) {
        expect(Object.keys(volume).filter((key) => !['name', 'configMap', 'secret', 'emptyDir'].includes(key))).toEqual(
          [],
        );
      }
      expect((workload as { spec: { volumeClaimTemplates?: unknown } }).spec.volumeClaimTemplates).toBeUndefined();
    }
  });

  test('gives a disk to what keeps reads on one, and more of it than that takes', () => {
    const kept: string[] = [];
    for (const [name, manifests] of manifestsOf) {
      for (const workload of workloadsOf(manifests)) {
        const target = componentOf(workload) ?? '';
        const text = mountedText(manifests, workload, '/etc/vivace/vivace.yaml');
        const flags = new Map([['target', target]]);
        const { disk_cache } = loadConfig({ file: { name, text }, env: {}, flags }).querier;
        const mount = containerOf(workload).volumeMounts?.find((one) => one.name === 'disk-cache');
        if (target !== 'all' && target !== 'querier') expect(mount, `${name} ${target}`).toBeUndefined();
        else expect(mount?.mountPath ?? '', `${name} ${target}`).toBe(disk_cache.path);
        if (mount === undefined) continue;
        const volume = podOf(workload).spec?.volumes?.find((one) => one.name === mount.name);
        const limitMiB = Number(/^(\d+)Mi$/.exec(String(volume?.emptyDir?.sizeLimit))?.[1]);
        expect(limitMiB * 1024 ** 2).toBeGreaterThan(disk_cache.max_bytes * 1.1);
        kept.push(`${name} ${target}`);
      }
    }
    expect(kept).toEqual(expect.arrayContaining(['single all', 'distributed querier']));
    expect(kept).not.toContain('closed querier');
  });

  test('waits for a stop to end, and asks paths that there are', () => {
    for (const workload of [...manifestsOf.values()].flatMap(workloadsOf)) {
      const { spec } = podOf(workload);
      const container = containerOf(workload);
      expect(spec?.terminationGracePeriodSeconds).toBeGreaterThan(STOP_SECONDS);
      expect(container.readinessProbe?.httpGet?.path).toBe('/ready');
      expect(container.startupProbe?.httpGet?.path).toBe('/ready');
      expect(container.livenessProbe?.httpGet?.path).toBe('/status/version');
    }
  });

  test('has no secret in a ConfigMap and none of its own', () => {
    for (const [name, manifests] of manifestsOf) {
      expect(
        manifests.filter(({ kind }) => kind === 'Secret'),
        name,
      ).toEqual([]);
      for (const { data } of ofKind(manifests, 'v1/ConfigMap')) {
        const text = Object.entries(data ?? {})
          .filter(([key]) => !key.endsWith('.json'))
          .map(([, value]) => value)
          .join('\n');
        expect(text, name).not.toMatch(/(access_?key|password|secret_?key|token|credential)[\w-]*\s*:/i);
        expect(text, name).not.toMatch(/AKIA[0-9A-Z]{16}|https?:\/\/[^\s/]*:[^\s/]*@/);
      }
    }
  });

  test('gives the credentials of the bucket only to those that use it', () => {
    const holders = workloadsOf(manifestsOf.get('minio-distributed') ?? [])
      .filter((workload) => containerOf(workload).env?.some(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined))
      .map(componentOf);
    expect(new Set(holders)).toEqual(new Set(['compactor', 'ingester', 'querier']));
  });

  test('names only what exists: ConfigMaps, accounts, ports, Services, workloads', () => {
    for (const [name, manifests] of manifestsOf) {
      const values = parse(readText(path.join(CHART, 'ci', `${name}.yaml`))) as object;
      const theirs = JSON.stringify(values);
      const maps = new Set(ofKind(manifests, 'v1/ConfigMap').map(({ metadata }) => metadata?.name));
      const accounts = new Set(ofKind(manifests, 'v1/ServiceAccount').map(({ metadata }) => metadata?.name));
      const services = new Map(ofKind(manifests, 'v1/Service').map((service) => [service.metadata?.name, service]));
      const workloads = new Map(workloadsOf(manifests).map((workload) => [workload.metadata?.name, workload]));
      // What the chart does not make must be named by the values: then it is the cluster's.
      const exists = (made: ReadonlySet<string | undefined>, wanted: string | undefined) =>
        expect(made.has(wanted) || (wanted !== undefined && theirs.includes(`"${wanted}"`)), `${name}: ${wanted}`).toBe(
          true,
        );
      for (const workload of workloads.values()) {
        const { spec } = podOf(workload);
        const container = containerOf(workload);
        exists(accounts, spec?.serviceAccountName);
        const volumes = new Set(spec?.volumes?.map((volume) => volume.name));
        for (const volume of spec?.volumes ?? []) {
          if (volume.configMap) exists(maps, volume.configMap.name);
          if (volume.secret) exists(new Set(), volume.secret.secretName);
        }
        for (const mount of container.volumeMounts ?? [])
          expect(volumes, `${name}: ${mount.name}`).toContain(mount.name);
        for (const { valueFrom } of container.env ?? []) {
          if (valueFrom?.secretKeyRef) exists(new Set(), valueFrom.secretKeyRef.name);
          if (valueFrom?.configMapKeyRef) exists(maps, valueFrom.configMapKeyRef.name);
        }
        const ports = new Set(container.ports?.map((port) => port.name));
        for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
          expect(ports).toContain(probe?.httpGet?.port);
        }
        const { serviceName } = workload.spec as { serviceName?: string };
        if (serviceName !== undefined) expect(services.get(serviceName)?.spec?.clusterIP, name).toBe('None');
      }
      for (const hpa of ofKind(manifests, 'autoscaling/v2/HorizontalPodAutoscaler')) {
        const target = workloads.get(hpa.spec?.scaleTargetRef.name);
        expect(target?.kind).toBe(hpa.spec?.scaleTargetRef.kind);
        expect(target?.spec?.replicas, 'the autoscaler alone says how many').toBeUndefined();
      }
      for (const { spec } of ofKind(manifests, 'networking.k8s.io/v1/Ingress')) {
        for (const { backend } of spec?.rules?.flatMap((rule) => rule.http?.paths ?? []) ?? []) {
          const service = services.get(backend.service?.name);
          expect(service?.spec?.ports?.map((port) => port.name)).toContain(backend.service?.port?.name);
        }
      }
    }
  });

  test('tells of ingesters that are not ready, whose heads queriers ask for, and of nobody else', () => {
    for (const [name, manifests] of manifestsOf) {
      const ingesters = workloadsOf(manifests).filter((workload) => componentOf(workload) === 'ingester');
      const headless = ingesters.map(({ spec }) => (spec as { serviceName?: string }).serviceName);
      const services = ofKind(manifests, 'v1/Service');
      const telling = services.filter(({ spec }) => spec?.publishNotReadyAddresses === true);
      expect(
        telling.map(({ metadata }) => metadata?.name),
        name,
      ).toEqual(headless);
      for (const { spec } of telling) expect(spec?.clusterIP, name).toBe('None');
    }
    expect([...manifestsOf.values()].flatMap(workloadsOf).map(componentOf)).toContain('ingester');
  });

  test('selects pods with every Service, budget, policy and monitor, and by ports that they have', () => {
    for (const [name, manifests] of manifestsOf) {
      const workloads = workloadsOf(manifests);
      const pods = workloads.map(podOf);
      const picked = (selector: Record<string, string> | undefined) =>
        pods.filter((pod) => selects(selector, pod.metadata?.labels));
      for (const workload of workloads) {
        expect(picked(workload.spec?.selector.matchLabels), name).toEqual([podOf(workload)]);
        for (const spread of podOf(workload).spec?.topologySpreadConstraints ?? []) {
          expect(picked(spread.labelSelector?.matchLabels)).toEqual([podOf(workload)]);
        }
      }
      for (const service of ofKind(manifests, 'v1/Service')) {
        const found = picked(service.spec?.selector);
        expect(found, `${name}: ${service.metadata?.name}`).toHaveLength(1);
        const ports = found[0]?.spec?.containers[0]?.ports?.map((port) => port.name);
        for (const { targetPort } of service.spec?.ports ?? []) expect(ports, name).toContain(targetPort);
      }
      for (const { spec } of ofKind(manifests, 'policy/v1/PodDisruptionBudget')) {
        expect(picked(spec?.selector?.matchLabels), name).toHaveLength(1);
      }
      for (const { spec } of ofKind(manifests, 'networking.k8s.io/v1/NetworkPolicy')) {
        expect(picked(spec?.podSelector.matchLabels), name).toHaveLength(pods.length);
      }
      const monitors = manifests.filter(({ kind }) => kind === 'ServiceMonitor') as unknown as Monitor[];
      for (const { spec } of monitors) {
        const scraped = ofKind(manifests, 'v1/Service').filter((service) =>
          selects(spec.selector.matchLabels, service.metadata?.labels),
        );
        // Each pod once.
        expect(
          scraped.flatMap((service) => picked(service.spec?.selector)),
          name,
        ).toHaveLength(pods.length);
        for (const { port } of spec.endpoints) {
          for (const service of scraped) expect(service.spec?.ports?.map((own) => own.name)).toContain(port);
        }
      }
    }
  });
});

test('every set of values is as values.schema.json has it, and what is wrong is not', () => {
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
    JSON.parse(readText(path.join(CHART, 'values.schema.json'))) as object,
  );
  const defaults = parse(readText(path.join(CHART, 'values.yaml'))) as { storage: { s3: object } };
  expect(
    validate({ ...defaults, storage: { s3: { ...defaults.storage.s3, bucket: 'b' } } }),
    JSON.stringify(validate.errors),
  ).toBe(true);
  expect(validate(defaults), 'a bucket has to be named').toBe(false);
  for (const wrong of [
    { mode: 'both' },
    { image: { tag: 'latest' } },
    { ingestor: {} },
    { ingester: { replica: 3 } },
    { terminationGracePeriodSeconds: 10 },
    { networkPolicy: { storagePorts: ['https'] } },
  ]) {
    expect(validate({ storage: { s3: { bucket: 'b' } }, ...wrong }), JSON.stringify(wrong)).toBe(false);
  }
  for (const { name, valuesFile } of good) {
    expect(validate(parse(readText(valuesFile))), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true);
  }
});

/** That a name of DNS is one of a headless Service of the chart, with its port. */
function checkService(manifests: readonly Manifest[], address: string): void {
  const [, port, name, namespace] = /^dns\+srv:\/\/_([\w-]+)\._tcp\.([\w-]+)\.([\w-]+)\.svc\./.exec(address) ?? [];
  const service = ofKind(manifests, 'v1/Service').find(({ metadata }) => metadata?.name === name);
  expect(service?.metadata?.namespace, address).toBe(namespace);
  expect(service?.spec?.clusterIP).toBe('None');
  expect(service?.spec?.ports?.map((own) => own.name)).toContain(port);
}

interface Monitor {
  spec: { selector: { matchLabels: Record<string, string> }; endpoints: { port: string }[] };
}

function componentOf(workload: Workload): string | undefined {
  return workload.metadata?.labels?.['app.kubernetes.io/component'];
}

function containerOf(workload: Workload) {
  const containers = podOf(workload).spec?.containers ?? [];
  if (containers[0] === undefined || containers.length > 1) throw new Error('one container is expected');
  return containers[0];
}

/** Runs the command line as a process of its own. */
function checkConfig(flags: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, 'config', 'check', ...flags], (_, stdout, stderr) =>
      resolve({ code: child.exitCode, output: `${stdout}${stderr}` }),
    );
  });
}

/** What a process finds at a path that a ConfigMap is mounted to. */
function mountedText(manifests: readonly Manifest[], workload: Workload, file: string): string {
  const { volumeMounts } = containerOf(workload);
  const mount = volumeMounts?.find(({ mountPath }) => path.dirname(file) === mountPath);
  const volume = podOf(workload).spec?.volumes?.find(({ name }) => name === mount?.name);
  const map = ofKind(manifests, 'v1/ConfigMap').find(({ metadata }) => metadata?.name === volume?.configMap?.name);
  const text = map?.data?.[path.basename(file)];
  if (text === undefined) throw new Error(`nothing is mounted at ${file}`);
  return text;
}
