import type {
  FieldExpression,
  MetricsStage,
  Query,
  ScalarExpression,
  SpansetExpression,
  Stage,
  Static,
} from '../ast.ts';

/** The tree of a query as text with every structure shown: what the cases are compared with. */
export function treeOf(query: Query): string {
  const parts = [query.pipeline.stages.map(stage).join(' | ')];
  if (query.metrics !== undefined) parts.push(metrics(query.metrics));
  for (const second of query.secondStages) {
    parts.push(
      second.kind === 'metrics-filter' ? `${second.operator} ${value(second.value)}` : `${second.kind} ${second.limit}`,
    );
  }
  parts.push(...query.hints.map((hint) => `with ${hint.name} ${value(hint.value)}`));
  return parts.join(' ; ');
}

function stage(node: Stage): string {
  switch (node.kind) {
    case 'by':
      return `by ${field(node.expression)}`;
    case 'coalesce':
      return 'coalesce';
    case 'select':
      return `select ${node.fields.map(field).join(' ')}`;
    case 'scalar-filter':
      return `(${node.operator} ${scalar(node.left)} ${scalar(node.right)})`;
    case 'filter':
    case 'spanset':
    case 'pipeline':
      return spanset(node);
  }
}

function spanset(node: SpansetExpression): string {
  if (node.kind === 'filter') return `{${node.expression === undefined ? '' : field(node.expression)}}`;
  if (node.kind === 'pipeline') return `<${node.pipeline.stages.map(stage).join(' | ')}>`;
  return `(${node.operator} ${spanset(node.left)} ${spanset(node.right)})`;
}

function scalar(node: ScalarExpression): string {
  if (node.kind === 'static') return value(node.value);
  if (node.kind === 'aggregate')
    return `${node.function}${node.argument === undefined ? '' : ` ${field(node.argument)}`}`;
  return `(${node.operator} ${scalar(node.left)} ${scalar(node.right)})`;
}

function field(node: FieldExpression): string {
  switch (node.kind) {
    case 'static':
      return value(node.value);
    case 'attribute':
      return `[${node.scope} ${node.name}]`;
    case 'intrinsic':
      return node.name;
    case 'unary':
      return `(${node.operator === '-' ? 'neg' : 'not'} ${field(node.operand)})`;
    case 'binary':
      return `(${node.operator} ${field(node.left)} ${field(node.right)})`;
  }
}

function metrics(node: MetricsStage): string {
  if (node.function === 'compare') {
    return `compare ${spanset(node.selection)} ${node.top}${node.start === undefined ? '' : ` ${node.start} ${node.end}`}`;
  }
  const parts: string[] = [node.function];
  if ('field' in node) parts.push(field(node.field));
  if ('quantiles' in node) parts.push(...node.quantiles.map(String));
  if (node.by.length > 0) parts.push('by', ...node.by.map(field));
  return parts.join(' ');
}

function value(node: Static): string {
  switch (node.type) {
    case 'nil':
      return 'nil';
    case 'int':
    case 'bool':
      return String(node.value);
    case 'float':
      return `${Object.is(node.value, -0) ? '-0' : node.value}f`;
    case 'duration':
      return `${node.value}ns`;
    case 'string':
      return JSON.stringify(node.value);
    case 'status':
    case 'kind':
      return `${node.type}.${node.value}`;
  }
}
