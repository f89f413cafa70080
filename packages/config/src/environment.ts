import { VivaceError } from '@vivace/kernel';
import type { Environment } from './expand.ts';
import { keys } from './keys.ts';
import { nearest } from './nearest.ts';
import type { RawValue } from './raw.ts';

const PREFIX = 'VIVACE_';

/** Set by Kubernetes in every pod of a namespace that has a service whose name begins with `vivace`. */
const KUBERNETES = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;

/** Read by the tests and the benchmark themselves, handed on to the server that they start. */
const OWN_TOOLS = /^VIVACE_(TEST|BENCH|MODEL)_/;

/**
 * The settings that environment variables give: the path in capitals with underscores, after `VIVACE_`. An
 * empty variable counts as not set, as compose files write it. Throws `invalid` for one that is no setting.
 */
export function readEnvironment(env: Environment): RawValue[] {
  const byVariable = new Map([...keys.values()].map((key) => [key.variable, key.path]));
  const values: RawValue[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || value === undefined || value === '') continue;
    const path = byVariable.get(name);
    if (path !== undefined) {
      values.push({ path, value, where: name });
    } else if (!OWN_TOOLS.test(name) && !isKubernetes(name, value)) {
      const guess = nearest(
        name.slice(PREFIX.length),
        [...byVariable.keys()].map((known) => known.slice(PREFIX.length)),
      );
      const remedy = guess === undefined ? 'docs/config.md lists them' : `did you mean ${PREFIX}${guess}?`;
      throw new VivaceError('invalid', 'config', `unknown environment variable ${name}: ${remedy}`);
    }
  }
  return values;
}

function isKubernetes(name: string, value: string): boolean {
  return KUBERNETES.test(name) || (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value));
}
