import type { Random } from '@vivace/kernel';
import { buildTraceRequest, type SpanPlan, type TraceRequest } from './otlp-json.ts';

export interface DemoTrace extends TraceRequest {
  /** What there is to see in it. */
  title: string;
}

interface SpanIds {
  traceId: string;
  spanId: string;
}

/** A small shop: an order that works, one that fails, a slow search, the mails of both orders, a nightly report. */
export function demoTraces(nowMs: number, random: Random): DemoTrace[] {
  const published: SpanIds[] = [];
  const orderNumber = 1_000_000 + (random.u32() % 9_000_000);
  const plans: { title: string; agoMs: number; plan: () => SpanPlan }[] = [
    {
      title: 'an order that works',
      agoMs: 9_000,
      plan: () => paidOrder(`${orderNumber}`, (ids) => published.push(ids)),
    },
    {
      title: 'an order whose card is refused: errors with exception events',
      agoMs: 7_000,
      plan: () => refusedOrder(`${orderNumber + 1}`, (ids) => published.push(ids)),
    },
    { title: 'a search that waits 1.8 s for its database', agoMs: 5_000, plan: slowSearch },
    { title: 'one mail run for both orders: links to their traces', agoMs: 3_000, plan: () => mailRun(published) },
    { title: 'a nightly report: values of every type, one beyond 2^53', agoMs: 2_000, plan: nightlyReport },
  ];
  return plans.map(({ title, agoMs, plan }) => ({ title, ...buildTraceRequest(plan(), nowMs - agoMs, random) }));
}

function checkout(order: string, status: number, takesMs: number, children: SpanPlan[], error?: string): SpanPlan {
  return {
    service: 'frontend',
    name: 'POST /checkout',
    kind: 'server',
    takesMs,
    attributes: {
      'http.request.method': 'POST',
      'http.route': '/checkout',
      'http.response.status_code': status,
      'url.path': '/checkout',
      'client.address': '203.0.113.7',
      'user_agent.original': 'Mozilla/5.0 (X11; Linux x86_64)',
      'order.id': order,
    },
    ...(error !== undefined && { error }),
    children,
  };
}

function reserve(order: string): SpanPlan {
  return {
    service: 'orders',
    name: 'inventory.Inventory/Reserve',
    kind: 'client',
    atMs: 12,
    takesMs: 34,
    attributes: { 'rpc.system': 'grpc', 'rpc.service': 'inventory.Inventory', 'rpc.method': 'Reserve' },
    children: [
      {
        service: 'inventory',
        name: 'inventory.Inventory/Reserve',
        kind: 'server',
        atMs: 2,
        takesMs: 29,
        attributes: { 'rpc.system': 'grpc', 'rpc.grpc.status_code': 0, 'order.id': order },
        children: [
          query('inventory', 3, 6, 'SELECT stock FROM items WHERE sku = ANY($1) FOR UPDATE', 3),
          query('inventory', 11, 9, 'UPDATE items SET stock = stock - $2 WHERE sku = $1', 3),
          {
            service: 'inventory',
            name: 'DEL stock',
            kind: 'client',
            atMs: 22,
            takesMs: 1.4,
            attributes: { 'db.system.name': 'redis', 'db.operation.name': 'DEL', 'server.address': 'cache-0' },
          },
        ],
      },
    ],
  };
}

function query(service: string, atMs: number, takesMs: number, text: string, rows: number): SpanPlan {
  const operation = text.split(' ')[0] as string;
  return {
    service,
    name: `${operation} shop`,
    kind: 'client',
    atMs,
    takesMs,
    attributes: {
      'db.system.name': 'postgresql',
      'db.namespace': 'shop',
      'db.operation.name': operation,
      'db.query.text': text,
      'db.response.returned_rows': rows,
      'server.address': 'postgres-0',
      'server.port': 5432,
    },
  };
}

function publish(topic: string, atMs: number, onId: (ids: SpanIds) => void): SpanPlan {
  return {
    service: 'orders',
    name: `send ${topic}`,
    kind: 'producer',
    atMs,
    takesMs: 3.2,
    attributes: {
      'messaging.system': 'kafka',
      'messaging.destination.name': topic,
      'messaging.operation.type': 'send',
    },
    onId,
  };
}

function createOrder(takesMs: number, children: SpanPlan[], error?: string): SpanPlan {
  return {
    service: 'orders',
    name: 'orders.Orders/Create',
    kind: 'server',
    atMs: 6,
    takesMs,
    attributes: { 'rpc.system': 'grpc', 'rpc.service': 'orders.Orders', 'rpc.method': 'Create' },
    ...(error !== undefined && { error }),
    children,
  };
}

function paidOrder(order: string, onId: (ids: SpanIds) => void): SpanPlan {
  const charge: SpanPlan = {
    service: 'payment',
    name: 'POST /v1/charges',
    kind: 'client',
    atMs: 50,
    takesMs: 120,
    attributes: {
      'http.request.method': 'POST',
      'server.address': 'api.cards.example',
      'http.response.status_code': 201,
      'payment.amount': 59.9,
      'payment.currency': 'EUR',
    },
  };
  return checkout(order, 200, 210, [
    createOrder(195, [
      reserve(order),
      charge,
      query('orders', 172, 7, 'INSERT INTO orders (id, total) VALUES ($1, $2)', 1),
      publish('order.created', 182, onId),
    ]),
  ]);
}

function refusedOrder(order: string, onId: (ids: SpanIds) => void): SpanPlan {
  const message = 'the card was refused: insufficient_funds';
  const attempt = (atMs: number, number: number): SpanPlan => ({
    service: 'payment',
    name: 'POST /v1/charges',
    kind: 'client',
    atMs,
    takesMs: 95,
    attributes: {
      'http.request.method': 'POST',
      'server.address': 'api.cards.example',
      'http.response.status_code': 402,
      'http.request.resend_count': number,
    },
    error: message,
    events: [
      {
        name: 'exception',
        atMs: 94,
        attributes: {
          'exception.type': 'CardRefused',
          'exception.message': message,
          'exception.stacktrace': `CardRefused: ${message}\n    at charge (/app/payment/charge.js:41:11)\n    at async retry (/app/payment/retry.js:12:5)`,
        },
      },
    ],
  });
  return checkout(
    order,
    402,
    330,
    [createOrder(318, [reserve(order), attempt(52, 0), attempt(190, 1), publish('order.failed', 300, onId)], message)],
    message,
  );
}

function slowSearch(): SpanPlan {
  const search: SpanPlan = {
    service: 'catalog',
    name: 'GET /search',
    kind: 'server',
    atMs: 3,
    takesMs: 1_870,
    attributes: { 'http.request.method': 'GET', 'http.route': '/search', 'http.response.status_code': 200 },
    events: [{ name: 'cache miss', atMs: 2, attributes: { 'cache.key': 'search:red shoes:1' } }],
    children: [
      query('catalog', 5, 1_820, "SELECT * FROM items WHERE name ILIKE '%red shoes%' ORDER BY rank LIMIT 48", 48),
    ],
  };
  return {
    service: 'frontend',
    name: 'GET /search',
    kind: 'server',
    takesMs: 1_890,
    attributes: {
      'http.request.method': 'GET',
      'http.route': '/search',
      'http.response.status_code': 200,
      'url.query': 'q=red+shoes',
    },
    children: [search],
  };
}

function mailRun(links: SpanIds[]): SpanPlan {
  const send = (atMs: number, to: string): SpanPlan => ({
    service: 'mailer',
    name: 'SMTP send',
    kind: 'client',
    atMs,
    takesMs: 41,
    attributes: { 'server.address': 'smtp.example', 'server.port': 25, 'mail.to': to },
  });
  return {
    service: 'mailer',
    name: 'process order.created',
    kind: 'consumer',
    takesMs: 110,
    attributes: {
      'messaging.system': 'kafka',
      'messaging.operation.type': 'process',
      'messaging.batch.message_count': links.length,
    },
    links: links.map((link) => ({ ...link, attributes: { 'messaging.kafka.offset': 7 } })),
    children: [send(8, 'ann@shop.example'), send(60, 'bob@shop.example')],
  };
}

function nightlyReport(): SpanPlan {
  return {
    service: 'reports',
    name: 'nightly report',
    kind: 'internal',
    takesMs: 1_400,
    attributes: {
      'report.rows': { int: '9007199254740993' },
      'report.share': 0.4375,
      'report.complete': true,
      'report.countries': ['de', 'fr', 'at'],
      'report.note': 'größer als gestern ✓',
    },
    children: [
      query('reports', 10, 900, 'SELECT country, sum(total) FROM orders GROUP BY country', 3),
      { service: 'reports', name: 'render pdf', kind: 'internal', atMs: 920, takesMs: 460 },
    ],
  };
}
