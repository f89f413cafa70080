import { readFileSync, writeFileSync } from 'node:fs';
import { corpusFiles, corpusPath, readCorpusFile, runCorpusCase } from './corpus.ts';
import { naiveEvaluator } from './naive-evaluator.ts';

// Writes the answers of cases marked `generated`, from the naive evaluator; with --all also those that have one.
// Cases worked out by hand are never touched.
//
//     node packages/block-query/src/testing/fill-corpus-main.ts [--all]

const all = process.argv.includes('--all');
for (const file of corpusFiles()) {
  const text = readFileSync(corpusPath(file), 'utf8');
  const lines = text.split('\n');
  for (const one of readCorpusFile(file, text)) {
    if (one.byHand || (one.expected !== '' && !all)) continue;
    lines[one.line - 1] = `${one.query} => ${await runCorpusCase(one, naiveEvaluator)}`;
  }
  writeFileSync(corpusPath(file), lines.join('\n'));
}
