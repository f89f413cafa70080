import type { Deployment, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.d.ts';
import type { ConfigMap, PodTemplateSpec, Secret, Service, ServiceAccount } from 'kubernetes-types/core/v1.d.ts';
import type { Ingress, NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.d.ts';
import { parseAllDocuments } from 'yaml';

/** Kinds of Kubernetes itself, as the module of their types has them. */
export interface Kinds {
  'apps/v1/Deployment': Deployment;
  'apps/v1/StatefulSet': StatefulSet;
  'autoscaling/v2/HorizontalPodAutoscaler': HorizontalPodAutoscaler;
  'networking.k8s.io/v1/Ingress': Ingress;
  'networking.k8s.io/v1/NetworkPolicy': NetworkPolicy;
  'policy/v1/PodDisruptionBudget': PodDisruptionBudget;
  'v1/ConfigMap': ConfigMap;
  'v1/Secret': Secret;
  'v1/Service': Service;
  'v1/ServiceAccount': ServiceAccount;
}

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

export type Workload = Deployment | StatefulSet;

/** The manifests of a rendered chart. Throws where it is not YAML, a key stands twice, or something is no manifest. */
export function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`no YAML: ${String(document.errors[0])}`);
    const value = document.toJS() as Partial<Manifest> | null;
    if (value === null) return [];
    if (value.apiVersion === undefined || value.kind === undefined || value.metadata?.name === undefined) {
      throw new Error(`no manifest: ${JSON.stringify(value).slice(0, 200)}`);
    }
    return [value as Manifest];
  });
}

/** Those of one kind; what they are was checked against its types. */
export function ofKind<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind): Kinds[Kind][] {
  return manifests.filter((manifest) => kindOf(manifest) === kind) as unknown as Kinds[Kind][];
}

export function kindOf({ apiVersion, kind }: Manifest): string {
  return `${apiVersion}/${kind}`;
}

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return [...ofKind(manifests, 'apps/v1/Deployment'), ...ofKind(manifests, 'apps/v1/StatefulSet')];
}

export function podOf(workload: Workload): PodTemplateSpec {
  const template = workload.spec?.template;
  if (template === undefined) throw new Error(`${workload.metadata?.name} has no pods`);
  return template;
}

/** Whether a selector picks something with these labels; an empty one picks nothing here. */
export function selects(selector: Record<string, string> | undefined, labels: Record<string, string> = {}): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
