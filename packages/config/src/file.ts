import { VivaceError } from '@vivace/kernel';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { type Environment, expandVariables } from './expand.ts';
import { keys, namesIn, sections } from './keys.ts';
import type { RawValue } from './raw.ts';
import { explainUnknownKey } from './unknown-key.ts';

const MAX_FILE_CHARACTERS = 1024 * 1024;

/**
 * The settings of a YAML file, with `${VAR}` replaced. An empty group is allowed (`grpc:` as people write it
 * for a Collector). Throws `invalid` with file and line for what is no YAML, no setting, or twice there.
 */
export function readConfigFile(name: string, text: string, env: Environment): RawValue[] {
  if (text.length > MAX_FILE_CHARACTERS) throw invalid(`${name}: larger than 1 MiB, which no configuration is`);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number | undefined) => `${name}:${lines.linePos(offset ?? 0).line}`;
  const fault = document.errors[0];
  if (fault) throw invalid(`${at(fault.pos[0])}: ${fault.message}`);

  const values: RawValue[] = [];
  const visit = (given: Node | null, path: string, line: string): void => {
    const node = isAlias(given) ? (given.resolve(document) ?? null) : given;
    if (node === null || (isScalar(node) && node.value === null)) return;
    if (sections.has(path)) {
      if (!isMap(node)) {
        throw invalid(`${line}: '${path || 'the file'}' must hold ${namesIn(path).join(', ')}, not a single value`);
      }
      for (const pair of node.items) {
        const key = pair.key as Node | null;
        const keyLine = at(key?.range?.[0]);
        if (!isScalar(key)) throw invalid(`${keyLine}: a key must be a name`);
        const child = path === '' ? String(key.value) : `${path}.${String(key.value)}`;
        if (!keys.has(child) && !sections.has(child)) throw invalid(`${keyLine}: ${explainUnknownKey(child)}`);
        visit(pair.value as Node | null, child, keyLine);
      }
      return;
    }
    values.push({ path, value: readValue(node, path, line, env), where: line });
  };
  if (document.contents !== null) visit(document.contents, '', at(0));
  return values;
}

function readValue(node: Node | null, path: string, line: string, env: Environment): unknown {
  if (isScalar(node)) {
    // As written: 0x10, 1e3 or a number beyond 2^53 must not change on their way through a double.
    if (typeof node.value !== 'string') return node.source ?? String(node.value);
    try {
      return expandVariables(node.value, env);
    } catch (error) {
      throw error instanceof VivaceError ? invalid(`${line}: ${path}: ${error.message}`) : error;
    }
  }
  if (isSeq(node)) return node.items.map((item) => readValue(item as Node | null, path, line, env));
  throw invalid(`${line}: ${path} must be ${keys.get(path)?.type ?? 'a value'}`);
}

function invalid(message: string): VivaceError {
  return new VivaceError('invalid', 'config', message);
}
