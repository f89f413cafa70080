import { parser } from '@prometheus-io/lezer-promql';

type SyntaxNode = ReturnType<typeof parser.parse>['topNode'];

/** What a query asks for. */
export interface PromqlNames {
  metrics: Set<string>;
  /** Labels of matchers by the metric they are of. */
  matched: { metric: string; label: string; value: string }[];
  /** Labels that are grouped and joined by. */
  grouped: Set<string>;
  /** Where it is no PromQL. */
  errors: string[];
}

/** Reads a query with the grammar of Prometheus' own editor. */
export function namesOf(query: string): PromqlNames {
  const found: PromqlNames = { metrics: new Set(), matched: [], grouped: new Set(), errors: [] };
  const text = (node: SyntaxNode) => query.slice(node.from, node.to);
  parser.parse(query).iterate({
    enter: ({ node, type }) => {
      if (type.isError) found.errors.push(`at ${node.from}: ${query.slice(node.from, node.from + 30)}`);
      if (type.name === 'VectorSelector') {
        const metric = node.getChild('Identifier');
        const name = metric === null ? '' : text(metric);
        found.metrics.add(name);
        for (const matcher of node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? []) {
          const label = matcher.getChild('LabelName');
          const value = matcher.getChild('StringLiteral');
          if (label !== null && value !== null) {
            found.matched.push({ metric: name, label: text(label), value: text(value).slice(1, -1) });
          }
        }
      }
      if (type.name === 'GroupingLabels') {
        for (const label of node.getChildren('LabelName')) found.grouped.add(text(label));
      }
    },
  });
  return found;
}
