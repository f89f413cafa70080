import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { VivaceError } from '@vivace/kernel';
import { parse, type Query } from '@vivace/traceql';
import type { Series, TraceMatch } from '../answer.ts';
import { BASE_UNIX_NANO, type Dataset, durationOf, readDataset } from './dataset.ts';
import { intervalEnds, renderMatches, renderSeries } from './render-answers.ts';

/**
 * Cases of TraceQL with their answers, in text files: a dataset (see dataset.ts), then `---`, then a case a line:
 *
 *     by hand: §5 nil                            where the answers below are from: worked out from the document, or
 *     generated: §5 nil                          filled in by the naive evaluator
 *     metrics from=0s to=60s step=30s            what is asked with: options hold until the next line of options;
 *     search from=0s to=1s limit=20 spss=100     without either the search is over all time, without limits
 *     { span.i = 7 } => t1(a b) t2(c)
 *     { span.i = } => error: unexpected }
 *
 * Answers are compared as far as they go: attributes of spans only where the case has braces in its answer, those of
 * spansets only where it has brackets, facts of traces where it has them in pointed ones.
 */
export interface CorpusCase {
  file: string;
  line: number;
  query: string;
  expected: string;
  byHand: boolean;
  /** The part of the language that the case fixes. */
  about: string;
  options: CaseOptions;
  dataset: Dataset;
}

export interface CaseOptions {
  mode: 'search' | 'metrics';
  /** From BASE. */
  from: bigint | undefined;
  to: bigint | undefined;
  step: bigint;
  limit: number;
  spansPerSpanset: number;
}

/** What runs queries. All requests of the dataset have been taken in, in their order. */
export interface Evaluator {
  search(
    requests: readonly Uint8Array[],
    query: Query,
    options: {
      startUnixNano: bigint | undefined;
      endUnixNano: bigint | undefined;
      limit: number;
      spansPerSpanset: number;
    },
  ): TraceMatch[] | Promise<TraceMatch[]>;
  metrics(
    requests: readonly Uint8Array[],
    query: Query,
    options: { start: bigint; end: bigint; step: bigint; exemplars: 0 },
  ): Series[] | Promise<Series[]>;
}

const CORPUS = path.join(import.meta.dirname, '../../corpus');

/** All cases of all files, or of those files. */
export function loadCorpus(files: readonly string[] = corpusFiles()): CorpusCase[] {
  return files.flatMap((file) => readCorpusFile(file, readFileSync(path.join(CORPUS, file), 'utf8')));
}

export function corpusFiles(): string[] {
  return readdirSync(CORPUS)
    .filter((file) => file.endsWith('.txt'))
    .sort();
}

export function corpusPath(file: string): string {
  return path.join(CORPUS, file);
}

const ARROW = ' => ';

export function readCorpusFile(file: string, text: string): CorpusCase[] {
  const lines = text.split('\n');
  const border = lines.indexOf('---');
  if (border < 0) throw new TypeError(`${file}: no line of three dashes between dataset and cases`);
  const dataset = readDataset(lines.slice(0, border).join('\n'));
  const cases: CorpusCase[] = [];
  let options = readOptions('search');
  let source: { byHand: boolean; about: string } | undefined;
  for (const [index, line] of lines.entries()) {
    if (index <= border || line.trim() === '' || line.startsWith('#')) continue;
    const origin = /^(by hand|generated): (.+)$/.exec(line);
    if (origin !== null) source = { byHand: origin[1] === 'by hand', about: origin[2] as string };
    else if (/^(search|metrics)\b/.test(line)) options = readOptions(line);
    else {
      const at = line.lastIndexOf(ARROW);
      const query = (at < 0 ? line : line.slice(0, at)).trimEnd();
      if (source === undefined) throw new TypeError(`${file}:${index + 1}: a case of no origin`);
      const expected = at < 0 ? '' : line.slice(at + ARROW.length).trim();
      cases.push({ file, line: index + 1, query, expected, ...source, options, dataset });
    }
  }
  return cases;
}

function readOptions(line: string): CaseOptions {
  const [mode, ...settings] = line.trim().split(/\s+/);
  const values = new Map(settings.map((setting) => setting.split('=') as [string, string]));
  return {
    mode: mode === 'metrics' ? 'metrics' : 'search',
    from: durationOf(values.get('from')),
    to: durationOf(values.get('to')),
    step: durationOf(values.get('step')) ?? 1n,
    limit: Number(values.get('limit') ?? 1000),
    spansPerSpanset: Number(values.get('spss') ?? 1000),
  };
}

/** The answer to a case in the notation of its expected answer, and as detailed. */
export async function runCorpusCase(one: CorpusCase, evaluator: Evaluator): Promise<string> {
  const { options, dataset, expected } = one;
  try {
    const query = parse(one.query);
    if (options.mode === 'metrics') {
      const { from = 0n, to = 0n, step } = options;
      const range = { start: BASE_UNIX_NANO + from, end: BASE_UNIX_NANO + to, step, exemplars: 0 as const };
      return renderSeries(await evaluator.metrics(dataset.requests, query, range), intervalEnds(from, to, step));
    }
    const matches = await evaluator.search(dataset.requests, query, {
      startUnixNano: options.from === undefined ? undefined : BASE_UNIX_NANO + options.from,
      endUnixNano: options.to === undefined ? undefined : BASE_UNIX_NANO + options.to,
      limit: options.limit,
      spansPerSpanset: options.spansPerSpanset,
    });
    return renderMatches(matches, dataset, {
      traceFacts: />\(/.test(expected),
      spansetAttributes: expected.includes(')['),
      spanAttributes: /\([^\s(){}]+\{/.test(expected),
    });
  } catch (error) {
    if (!(error instanceof VivaceError) || error.kind !== 'invalid') throw error;
    return renderError(error, expected);
  }
}

/** Where the case names a part of the message, that part. */
function renderError(error: VivaceError, expected: string): string {
  const part = expected.startsWith('error: ') ? expected.slice('error: '.length) : '';
  if (part !== '' && error.message.includes(part)) return expected;
  return `error: ${error.message.split('\n')[0]}`;
}
