import { keys, namesIn, sections } from './keys.ts';
import { nearest } from './nearest.ts';

/** Keys that people bring along from elsewhere, and what to do instead. */
const REMEDIES: ReadonlyMap<string, string> = new Map([
  ...['access_key', 'secret_key', 'session_token', 'access_key_id', 'secret_access_key'].map(
    (name) =>
      [
        name,
        'credentials are never part of the configuration: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a profile or role of the AWS SDK',
      ] as const,
  ),
  ['insecure', 'write http:// or https:// in storage.trace.s3.endpoint'],
  ['path_style', "did you mean 'storage.trace.s3.forcepathstyle'?"],
]);

/** What to say about a path that is no setting: the nearest one, else what may stand there. */
export function explainUnknownKey(path: string): string {
  const parent = path.split('.').slice(0, -1).join('.');
  const name = path.slice(parent === '' ? 0 : parent.length + 1);
  const remedy = REMEDIES.get(name);
  if (remedy !== undefined) return `unknown key '${path}': ${remedy}`;
  const guess = nearestKey(path, parent, name);
  if (guess !== undefined) return `unknown key '${path}': did you mean '${guess}'?`;
  const known = sections.has(parent) ? namesIn(parent) : namesIn('');
  return `unknown key '${path}': ${sections.has(parent) && parent !== '' ? `in '${parent}'` : 'here'} there are ${known.join(', ')}`;
}

function nearestKey(path: string, parent: string, name: string): string | undefined {
  // A slip of the pen first, then a right name in the wrong place, then a slip anywhere in the path.
  const sibling = sections.has(parent) ? nearest(name, namesIn(parent)) : undefined;
  if (sibling !== undefined) return parent === '' ? sibling : `${parent}.${sibling}`;
  const elsewhere = [...keys.keys(), ...sections].filter((known) => known.split('.').at(-1) === name && name !== '');
  if (elsewhere.length > 0) return nearest(path, elsewhere) ?? elsewhere[0];
  return nearest(path, [...keys.keys(), ...sections]);
}
