/** What the chart uses of the Prometheus Operator's kinds; fields beside these would be mistakes. */
const texts = { type: 'object', additionalProperties: { type: 'string' } };
const metadata = {
  type: 'object',
  required: ['name', 'namespace', 'labels'],
  properties: { name: { type: 'string' }, namespace: { type: 'string' }, labels: texts },
  additionalProperties: false,
};

function manifest(kind: string, spec: object): object {
  return {
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: { apiVersion: { const: 'monitoring.coreos.com/v1' }, kind: { const: kind }, metadata, spec },
    additionalProperties: false,
  };
}

/** Of one alert or recorded series; a plain rules file of Prometheus has the same. */
const rule = {
  type: 'object',
  required: ['alert', 'expr', 'labels', 'annotations'],
  properties: {
    alert: { type: 'string', pattern: '^Vivace[A-Za-z]+$' },
    expr: { type: 'string', minLength: 1 },
    for: { type: 'string', pattern: '^\\d+[smh]$' },
    labels: { ...texts, required: ['severity'] },
    annotations: { ...texts, required: ['summary', 'description'] },
  },
  additionalProperties: false,
};

/** The content of a rules file. */
export const RULES_SCHEMA = {
  type: 'object',
  required: ['groups'],
  properties: {
    groups: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['name', 'rules'],
        properties: { name: { type: 'string' }, rules: { type: 'array', minItems: 1, items: rule } },
        additionalProperties: false,
      },
    },
  },
  additionalProperties: false,
};

export const OPERATOR_SCHEMAS: Readonly<Record<string, object>> = {
  'monitoring.coreos.com/v1/PrometheusRule': manifest('PrometheusRule', RULES_SCHEMA),
  'monitoring.coreos.com/v1/ServiceMonitor': manifest('ServiceMonitor', {
    type: 'object',
    required: ['selector', 'endpoints'],
    properties: {
      jobLabel: { type: 'string' },
      targetLabels: { type: 'array', items: { type: 'string' } },
      selector: {
        type: 'object',
        required: ['matchLabels'],
        properties: { matchLabels: texts },
        additionalProperties: false,
      },
      namespaceSelector: {
        type: 'object',
        properties: { matchNames: { type: 'array', items: { type: 'string' } } },
        additionalProperties: false,
      },
      endpoints: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          required: ['port', 'path'],
          properties: {
            port: { type: 'string' },
            path: { type: 'string' },
            interval: { type: 'string' },
            scheme: { enum: ['http', 'https'] },
            tlsConfig: {
              type: 'object',
              properties: { insecureSkipVerify: { type: 'boolean' } },
              additionalProperties: false,
            },
          },
          additionalProperties: false,
        },
      },
    },
    additionalProperties: false,
  }),
};
