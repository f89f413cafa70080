import { readOverrides, type TenantOverridesText } from '@vivace/config';
import { VivaceError } from '@vivace/kernel';
import { parse, type Query } from '@vivace/traceql';
import type { Retention } from './retention.ts';

/** How long the spans of each tenant are kept. */
export type TenantRetention = (tenant: string) => Retention;

/** The retention of all tenants by the text of the overrides file. Throws `invalid` where it is wrong, with file and line. */
export function readTenantRetention(name: string, text: string, defaultKeepMs: number): TenantRetention {
  const { tenants, others } = readOverrides(name, text);
  const made = new Map([...tenants].map(([tenant, settings]) => [tenant, retentionOf(settings, defaultKeepMs)]));
  const fallback = others === undefined ? plainRetention(defaultKeepMs) : retentionOf(others, defaultKeepMs);
  return (tenant) => made.get(tenant) ?? fallback;
}

/** The same for all tenants; 0 is for ever. */
export function plainRetention(keepMs: number): Retention {
  return { keepMs: keepMs === 0 ? Number.POSITIVE_INFINITY : keepMs, rules: [] };
}

function retentionOf(settings: TenantOverridesText, defaultKeepMs: number): Retention {
  const { keepMs } = plainRetention(settings.retentionMs ?? defaultKeepMs);
  const rules = settings.retentionRules.map(({ filter, keepMs: ruleKeepMs, where }) => ({
    query: readFilter(filter, where),
    keepMs: ruleKeepMs,
  }));
  return { keepMs, rules };
}

function readFilter(filter: string, where: string): Query {
  let query: Query;
  try {
    query = parse(filter);
  } catch (error) {
    throw invalid(`${where}: ${error instanceof Error ? error.message : 'no TraceQL'}`, error);
  }
  if (query.metrics !== undefined) throw invalid(`${where}: a rule is a search, not metrics: ${filter}`);
  return query;
}

function invalid(message: string, cause?: unknown): VivaceError {
  return new VivaceError('invalid', 'overrides', message, { cause });
}
