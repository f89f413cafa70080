import { checkTenant, VivaceError } from '@vivace/kernel';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { nearest } from './nearest.ts';
import { formatDuration, parseDuration } from './units.ts';

/** Settings of single tenants; what is undefined is as for all. */
export interface TenantOverridesText {
  retentionMs: number | undefined;
  retentionRules: readonly RetentionRuleText[];
}

/** Traces that `filter` (TraceQL) matches are kept for `keepMs`. */
export interface RetentionRuleText {
  filter: string;
  keepMs: number;
  /** Where it is written. */
  where: string;
}

export interface OverridesText {
  tenants: ReadonlyMap<string, TenantOverridesText>;
  /** Of the tenants that are not named: `*` in the file. */
  others: TenantOverridesText | undefined;
}

const MAX_FILE_CHARACTERS = 4 * 1024 * 1024;
const MAX_RULES = 16;
const MAX_FILTER_CHARACTERS = 4096;
const MIN_KEEP_MS = 3_600_000;
const MAX_KEEP_MS = 10 * 365 * 24 * 3_600_000;

/**
 * The file of `overrides.per_tenant_override_config`:
 *
 *     overrides:
 *       shop:
 *         retention: 7d
 *         retention_rules:
 *           - filter: '{ status = error }'
 *             keep: 30d
 *
 * Throws `invalid` with file and line. Whether filters mean something is for the caller to see.
 */
export function readOverrides(name: string, text: string): OverridesText {
  if (text.length > MAX_FILE_CHARACTERS) throw invalid(`${name}: larger than 4 MiB`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault) throw invalid(`${name}:${lines.linePos(fault.pos[0]).line}: ${fault.message}`);
  const reader: Reader = {
    at: (node) => `${name}:${lines.linePos(node?.range?.[0] ?? 0).line}`,
    resolve: (node) => (isAlias(node) ? (node.resolve(document) ?? null) : node),
  };
  const tenants = new Map<string, TenantOverridesText>();
  let others: TenantOverridesText | undefined;
  for (const [, value] of fields(reader, document.contents, 'the file', ['overrides'])) {
    for (const [tenant, settings, place] of fields(reader, value, 'overrides')) {
      if (tenant === '*') others = readTenant(reader, settings, `${place}: *`);
      else tenants.set(readTenantName(tenant, place), readTenant(reader, settings, `${place}: ${tenant}`));
    }
  }
  return { tenants, others };
}

interface Reader {
  at(node: Node | null | undefined): string;
  resolve(node: Node | null): Node | null;
}

/** The pairs of a map: key, value and where the key is. Nothing is an empty map. */
function fields(
  reader: Reader,
  given: Node | null,
  what: string,
  known?: readonly string[],
): [key: string, value: Node | null, where: string][] {
  const node = reader.resolve(given);
  if (node === null || (isScalar(node) && node.value === null)) return [];
  if (!isMap(node)) throw invalid(`${reader.at(given)}: ${what} must hold ${known?.join(', ') ?? 'tenants by name'}`);
  return node.items.map((pair) => {
    const where = reader.at(pair.key as Node | null);
    if (!isScalar(pair.key)) throw invalid(`${where}: a key must be a name`);
    const key = String(pair.key.value);
    if (known !== undefined && !known.includes(key)) {
      const guess = nearest(key, known);
      const remedy = guess === undefined ? `there are ${known.join(', ')}` : `did you mean '${guess}'?`;
      throw invalid(`${where}: unknown key '${key}' in ${what}: ${remedy}`);
    }
    return [key, pair.value as Node | null, where];
  });
}

function readTenant(reader: Reader, node: Node | null, what: string): TenantOverridesText {
  const found: { retentionMs: number | undefined; retentionRules: RetentionRuleText[] } = {
    retentionMs: undefined,
    retentionRules: [],
  };
  for (const [key, value, where] of fields(reader, node, what, ['retention', 'retention_rules'])) {
    if (key === 'retention') found.retentionMs = readKeep(reader, value, `${where}: retention`, true);
    else found.retentionRules = readRules(reader, value, where);
  }
  return found;
}

function readRules(reader: Reader, given: Node | null, where: string): RetentionRuleText[] {
  const node = reader.resolve(given);
  if (node === null || (isScalar(node) && node.value === null)) return [];
  if (!isSeq(node)) throw invalid(`${where}: retention_rules must be a list of filter and keep`);
  if (node.items.length > MAX_RULES) throw invalid(`${where}: more than ${MAX_RULES} retention_rules`);
  return node.items.map((item) => {
    const place = reader.at(item as Node);
    const rule = new Map(
      fields(reader, item as Node, 'a rule', ['filter', 'keep']).map(([key, value]) => [key, value] as const),
    );
    const filter = scalarText(reader, rule.get('filter') ?? null);
    if (filter === undefined || filter.length > MAX_FILTER_CHARACTERS) {
      throw invalid(`${place}: a rule needs a filter, a TraceQL query of at most ${MAX_FILTER_CHARACTERS} characters`);
    }
    return { filter, keepMs: readKeep(reader, rule.get('keep') ?? null, `${place}: keep`, false), where: place };
  });
}

function readKeep(reader: Reader, node: Node | null, what: string, mayBeZero: boolean): number {
  const text = scalarText(reader, node);
  const ms = text === undefined ? undefined : parseDuration(text);
  const isFine = ms !== undefined && ((ms === 0 && mayBeZero) || (ms >= MIN_KEEP_MS && ms <= MAX_KEEP_MS));
  if (isFine && ms % 1000 === 0) return ms;
  const range = `${formatDuration(MIN_KEEP_MS)} to ${formatDuration(MAX_KEEP_MS)}`;
  throw invalid(
    `${what} must be a duration of whole seconds such as 7d, ${range}${mayBeZero ? ', or 0 for ever' : ''}`,
  );
}

/** A scalar as it is written. */
function scalarText(reader: Reader, given: Node | null): string | undefined {
  const node = reader.resolve(given);
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === 'string' ? node.value : node.source;
}

function readTenantName(tenant: string, where: string): string {
  try {
    return checkTenant(tenant);
  } catch (error) {
    throw invalid(`${where}: ${error instanceof Error ? error.message : 'no name of a tenant'}`);
  }
}

function invalid(message: string): VivaceError {
  return new VivaceError('invalid', 'overrides', message);
}
