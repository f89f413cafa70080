import { formatTime, printable } from './output.ts';

/** What is read of a trace in OTLP's JSON. Everything may be missing. */
export interface JsonTrace {
  resourceSpans?: { resource?: { attributes?: JsonAttribute[] }; scopeSpans?: { spans?: JsonSpan[] }[] }[];
}

interface JsonAttribute {
  key?: string;
  value?: { stringValue?: string };
}

interface JsonSpan {
  spanId?: string;
  parentSpanId?: string;
  name?: string;
  startTimeUnixNano?: string;
  endTimeUnixNano?: string;
  status?: { code?: string | number };
}

interface Node {
  span: JsonSpan;
  service: string;
  start: bigint;
  end: bigint;
  children: Node[];
}

/** Deeper spans are shown at this depth. */
const MAX_DEPTH = 40;

/** A trace as a tree, a line a span: when it began in the trace, how long it took, service, name. */
export function renderTrace(trace: JsonTrace): string[] {
  const nodes = nodesOf(trace);
  const first = nodes[0];
  if (first === undefined) return [];
  const roots = linkNodes(nodes);
  const services = new Set(nodes.map(({ service }) => service));
  const end = nodes.reduce((latest, node) => (node.end > latest ? node.end : latest), first.end);
  const lines = [
    `${nodes.length} spans, ${services.size} services, ${millis(end - first.start)} ms, from ${formatTime(first.start)}`,
  ];
  const shown = new Set<Node>();
  // A stack and not calls: a chain may be as long as the trace. What is in a circle is under no root and comes last.
  for (const root of [...roots, ...nodes]) {
    const stack = [{ node: root, depth: 0 }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { node, depth } = next;
      if (shown.has(node)) continue;
      shown.add(node);
      lines.push(renderSpan(node, first.start, depth));
      for (const child of node.children.toReversed()) stack.push({ node: child, depth: depth + 1 });
    }
  }
  return lines;
}

function nodesOf(trace: JsonTrace): Node[] {
  const nodes: Node[] = [];
  for (const { resource, scopeSpans } of trace.resourceSpans ?? []) {
    const service = resource?.attributes?.find(({ key }) => key === 'service.name')?.value?.stringValue ?? '';
    for (const { spans } of scopeSpans ?? []) {
      for (const span of spans ?? []) {
        const start = BigInt(span.startTimeUnixNano ?? 0);
        nodes.push({ span, service, start, end: BigInt(span.endTimeUnixNano ?? 0), children: [] });
      }
    }
  }
  return nodes.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

/** Puts children under their parents; gives those without one. */
function linkNodes(nodes: readonly Node[]): Node[] {
  const byId = new Map<string, Node>();
  for (const node of nodes) if (!byId.has(node.span.spanId ?? '')) byId.set(node.span.spanId ?? '', node);
  const roots: Node[] = [];
  for (const node of nodes) {
    const { parentSpanId = '' } = node.span;
    const parent = parentSpanId === '' ? undefined : byId.get(parentSpanId);
    if (parent === undefined || parent === node) roots.push(node);
    else parent.children.push(node);
  }
  return roots;
}

function renderSpan({ span, service, start, end }: Node, from: bigint, depth: number): string {
  const failed = span.status?.code === 'STATUS_CODE_ERROR' || span.status?.code === 2 ? '  ERROR' : '';
  const indent = '  '.repeat(Math.min(depth, MAX_DEPTH));
  const when = `+${millis(start - from)} ms`.padStart(14);
  return `${when}  ${`${millis(end - start)} ms`.padStart(14)}  ${indent}${printable(service)}: ${printable(span.name ?? '')}${failed}`;
}

function millis(nanos: bigint): string {
  return (Number(nanos) / 1e6).toFixed(3);
}
