import type { Random } from '@vivace/kernel';
import { parse, type Query } from '@vivace/traceql';
import { below, chance, pick, several } from './random-choice.ts';
import { randomCondition, randomField, randomFieldOf, randomNumber } from './random-condition.ts';

/** Queries that are always valid, of every construct, over the names and values of random traces. */

/** A query for a search. */
export function randomQuery(random: Random): Query {
  return parse(randomQueryText(random));
}

/** A query for series. */
export function randomMetricsQuery(random: Random): Query {
  return parse(randomMetricsQueryText(random));
}

const STRUCTURAL = ['>', '<', '>>', '<<', '~'].flatMap((operator) => [operator, `!${operator}`, `&${operator}`]);

export function randomQueryText(random: Random): string {
  return chance(random, 0.1) ? pipelineExpression(random) : pipeline(random);
}

function pipelineExpression(random: Random): string {
  const operand = () => (chance(random, 0.5) ? `(${pipeline(random)} | coalesce())` : `(${pipeline(random)})`);
  const operators = ['&&', '||', ...STRUCTURAL];
  return `${operand()} ${pick(random, operators)} ${operand()}`;
}

function pipeline(random: Random): string {
  const stages = [chance(random, 0.95) ? spanset(random, 2) : laterStage(random)];
  // coalesce() and what follows cannot be first.
  if (stages[0] === 'coalesce()') stages[0] = '{ }';
  stages.push(...several(random, 2, () => laterStage(random)));
  return stages.join(' | ');
}

function laterStage(random: Random): string {
  switch (below(random, 7)) {
    case 0:
    case 1:
      return spanset(random, 1);
    case 2:
      return `by(${groupingExpression(random)})`;
    case 3:
      return 'coalesce()';
    case 4:
      return `select(${[randomField(random), ...several(random, 2, () => randomField(random))].join(', ')})`;
    default:
      return scalarFilter(random);
  }
}

function groupingExpression(random: Random): string {
  if (chance(random, 0.7)) return randomField(random);
  return chance(random, 0.5)
    ? randomNumber(random, 1, true)
    : `${randomFieldOf(random, 'number')} > ${below(random, 9)}`;
}

function scalarFilter(random: Random): string {
  const comparison = pick(random, ['=', '!=', '<', '<=', '>', '>=']);
  if (chance(random, 0.4)) return `count() ${comparison} ${below(random, 5)}`;
  const name = pick(random, ['min', 'max', 'avg', 'sum']);
  return `${name}(${randomNumber(random, 1, true)}) ${comparison} ${pick(random, ['0', '1', '7.5', '40ms', '-7', '1s'])}`;
}

function spanset(random: Random, depth: number): string {
  if (depth === 0 || chance(random, 0.5)) return filter(random);
  const operator = chance(random, 0.4) ? pick(random, ['&&', '||']) : pick(random, STRUCTURAL);
  const right = chance(random, 0.3) ? `(${spanset(random, depth - 1)})` : filter(random);
  return `${spanset(random, depth - 1)} ${operator} ${right}`;
}

function filter(random: Random): string {
  return chance(random, 0.25) ? '{ }' : `{ ${randomCondition(random, 2)} }`;
}

export function randomMetricsQueryText(random: Random): string {
  const source = chance(random, 0.7) ? filter(random) : pipeline(random);
  if (chance(random, 0.1)) return `${source} | compare(${filter(random)}, ${below(random, 4) + 1})`;
  return `${source} | ${metric(random)}${chance(random, 0.3) ? secondStage(random) : ''}`;
}

/** Integers and durations, whose sums do not depend on the order of adding. */
const MEASURED = ['duration', 'traceDuration', 'span:childCount', 'nestedSetLeft', 'event:timeSinceStart'];

function metric(random: Random): string {
  const measured = pick(random, MEASURED);
  const by = chance(random, 0.6)
    ? ` by(${[randomField(random), ...several(random, 2, () => randomField(random))].join(', ')})`
    : '';
  switch (below(random, 4)) {
    case 0:
      return `${pick(random, ['rate', 'count_over_time'])}()${by}`;
    case 1:
      return `quantile_over_time(${measured}, ${pick(random, ['0', '.5', '.9, .99', '1', '0.25, 0.5, 0.75'])})${by}`;
    case 2:
      return `histogram_over_time(${chance(random, 0.7) ? measured : randomFieldOf(random, 'number')})${by}`;
    default:
      return chance(random, 0.5)
        ? `${pick(random, ['avg', 'sum'])}_over_time(${measured})${by}`
        : `${pick(random, ['min', 'max'])}_over_time(${randomFieldOf(random, 'number')})${by}`;
  }
}

function secondStage(random: Random): string {
  if (chance(random, 0.5)) return ` | ${pick(random, ['topk', 'bottomk'])}(${below(random, 3) + 1})`;
  return ` ${pick(random, ['=', '!=', '<', '<=', '>', '>='])} ${pick(random, ['0', '1', '2.5', '50ms', '-1'])}`;
}
