import { readdirSync, readFileSync } from 'node:fs';
import { isKind } from '@vivace/kernel';
import { describe, expect, test } from 'vitest';
import { parse } from './parse.ts';
import { printQuery } from './print.ts';
import { treeOf } from './testing/tree.ts';

// A case is a query, and under it, set in by two blanks, its tree (see testing/tree.ts), or what is wrong with it:
// `! line:column message` where it cannot be read, `!! column message` where it reads but means nothing.

interface Case {
  query: string;
  expected: string;
}

function readCases(name: string): Case[] {
  const cases: Case[] = [];
  let query: string[] = [];
  for (const line of readFileSync(new URL(`cases/${name}`, import.meta.url), 'utf8').split('\n')) {
    if (line.startsWith('  ')) {
      cases.push({ query: query.join('\n'), expected: line.slice(2) });
      query = [];
    } else if (!line.startsWith('#') && line !== '') query.push(line);
  }
  return cases;
}

function outcome(query: string): string {
  try {
    return treeOf(parse(query));
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    const [first = '', source = '', mark = ''] = error.message.split('\n');
    const column = mark.indexOf('^') - 1;
    expect(error.code).toBe('traceql');
    expect(source.startsWith('  ')).toBe(true);
    const place = /^invalid TraceQL query: parse error at line (\d+), col (\d+): (.*)$/s.exec(first);
    if (place === null) return `!! ${column} ${first.replace('invalid TraceQL query: ', '')}`;
    expect(column).toBe(Number(place[2]));
    return `! ${place[1]}:${place[2]} ${place[3]}`;
  }
}

const files = readdirSync(new URL('cases/', import.meta.url)).sort();

describe.each(files)('the cases in %s', (name) => {
  test.each(readCases(name))('$query', ({ query, expected }) => {
    expect(outcome(query)).toBe(expected);
    if (expected.startsWith('!')) return;
    const printed = printQuery(parse(query));
    expect(treeOf(parse(printed))).toBe(expected);
    expect(printQuery(parse(printed))).toBe(printed);
  });
});

test('there are at least 300 cases', () => {
  expect(files.flatMap(readCases).length).toBeGreaterThanOrEqual(300);
});
