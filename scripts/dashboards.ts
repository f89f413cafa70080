/** A line of a panel: a query, and how its series are called. */
type Line = readonly [expr: string, legend: string];

interface Panel {
  title: string;
  /** What to see in it. */
  about: string;
  /** A unit of Grafana's. */
  unit: string;
  lines: readonly Line[];
  stacked?: boolean;
}

interface Dashboard {
  uid: string;
  title: string;
  rows: readonly { title: string; panels: readonly Panel[] }[];
}

const JOB = 'job=~"$job"';
/** Metric names are written down once, with their labels, so that a typing error is one everywhere. */
const rate = (metric: string, by: string, labels = '') =>
  `sum by (${by}) (rate(${metric}{${JOB}${labels}}[$__rate_interval]))`;
const quantile = (q: number, metric: string, by: string, labels = '') =>
  `histogram_quantile(${q}, ${rate(`${metric}_bucket`, by === '' ? 'le' : `${by}, le`, labels)})`;
const plain = (metric: string, labels = '') => `${metric}{${JOB}${labels}}`;

const STORE = 'vivace_object_store_request_duration_seconds';
const QUERY = 'vivace_query_duration_seconds';

const WRITE: Dashboard = {
  uid: 'vivace-write',
  title: 'Vivace / spans in',
  rows: [
    {
      title: 'What comes in',
      panels: [
        {
          title: 'Spans a second',
          about: 'Rejected ones have wrong ids or are over a limit.',
          unit: 'short',
          lines: [[rate('vivace_distributor_spans_total', 'result'), '{{result}}']],
        },
        {
          title: 'Bytes a second, inflated',
          about: 'By what became of the request: accepted, or the limit that refused it.',
          unit: 'Bps',
          lines: [[rate('vivace_distributor_bytes_total', 'result'), '{{result}}']],
        },
        {
          title: 'Requests a second by answer',
          about: '429, 503, 8 and 14: come again later. 400 and 3: a sender is broken.',
          unit: 'reqps',
          lines: [[rate('vivace_receiver_requests_total', 'transport, status'), '{{transport}} {{status}}']],
        },
        {
          title: 'Time to the acknowledgement',
          about: 'From the first byte of a request to its answer; the log is durable by then.',
          unit: 's',
          lines: [
            [quantile(0.5, 'vivace_receiver_request_duration_seconds', 'transport'), 'p50 {{transport}}'],
            [quantile(0.99, 'vivace_receiver_request_duration_seconds', 'transport'), 'p99 {{transport}}'],
          ],
        },
      ],
    },
    {
      title: 'On the way to blocks',
      panels: [
        {
          title: 'Budgets in use',
          about: 'At 100 % senders are refused with a time to retry.',
          unit: 'percentunit',
          lines: [
            [
              `${plain('vivace_budget_used_bytes')} / on (job, instance, budget) ${plain('vivace_budget_limit_bytes')}`,
              '{{budget}} {{instance}}',
            ],
          ],
        },
        {
          title: 'Bytes in heads and log',
          about: 'Heads fall with every cut, the log with every commit.',
          unit: 'bytes',
          lines: [[plain('vivace_budget_used_bytes', ',budget=~"heads|log|log_undurable"'), '{{budget}} {{instance}}']],
        },
        {
          title: 'Oldest span in no block',
          about: 'Stays below the cut intervals: 5 minutes, 30 for tenants that send little.',
          unit: 's',
          lines: [[plain('vivace_ingester_oldest_uncut_seconds'), '{{instance}}']],
        },
        {
          title: 'Blocks committed an hour',
          about: 'One for each tenant and cut, and one more where clocks are wrong.',
          unit: 'short',
          lines: [[`sum by (instance) (increase(${plain('vivace_ingester_blocks_total')}[1h]))`, '{{instance}}']],
        },
      ],
    },
    {
      title: 'Distributors and ingesters apart',
      panels: [
        {
          title: 'Ingesters known and failing',
          about: 'Failing ones are left alone for a moment.',
          unit: 'short',
          lines: [
            [plain('vivace_distributor_ingesters'), 'known to {{instance}}'],
            [plain('vivace_distributor_ingesters_failing'), 'failing for {{instance}}'],
          ],
        },
        {
          title: 'Calls a second',
          about: 'By what became of them; moved: another ingester was asked.',
          unit: 'reqps',
          lines: [
            [rate('vivace_distributor_ingester_calls_total', 'result'), '{{result}}'],
            [`sum(rate(${plain('vivace_distributor_moved_slices_total')}[$__rate_interval]))`, 'moved'],
          ],
        },
      ],
    },
  ],
};

const READ: Dashboard = {
  uid: 'vivace-read',
  title: 'Vivace / queries',
  rows: [
    {
      title: 'Answers',
      panels: [
        {
          title: 'Queries a second',
          about: 'trace is a lookup by id.',
          unit: 'reqps',
          lines: [[rate(`${QUERY}_count`, 'kind'), '{{kind}}']],
        },
        {
          title: 'Time, median and p95',
          about: 'Waiting included.',
          unit: 's',
          lines: [
            [quantile(0.5, QUERY, 'kind'), 'p50 {{kind}}'],
            [quantile(0.95, QUERY, 'kind'), 'p95 {{kind}}'],
          ],
        },
        {
          title: 'Not whole, or none',
          about: 'partial: something could not be read, and the answer says what.',
          unit: 'reqps',
          lines: [[rate(`${QUERY}_count`, 'kind, outcome', ',outcome!="ok"'), '{{kind}} {{outcome}}']],
        },
        {
          title: 'HTTP answers by status',
          about: 'Of all routes.',
          unit: 'reqps',
          lines: [[rate('vivace_api_request_duration_seconds_count', 'status'), '{{status}}']],
          stacked: true,
        },
      ],
    },
    {
      title: 'Work',
      panels: [
        {
          title: 'Running and waiting',
          about: 'Waiting for long: too few threads.',
          unit: 'short',
          lines: [
            [`sum(${plain('vivace_query_running')})`, 'running'],
            [`sum(${plain('vivace_query_waiting')})`, 'waiting'],
          ],
        },
        {
          title: 'Bytes read from the store a second',
          about: 'A dashboard that refreshes should hardly add to it.',
          unit: 'Bps',
          lines: [[rate('vivace_query_inspected_bytes_total', 'kind'), '{{kind}}']],
        },
        {
          title: 'Found in the caches',
          about: 'Of what query threads asked their caches for.',
          unit: 'percentunit',
          lines: [
            [
              `${rate('vivace_querier_cache_requests_total', 'instance', ',outcome="hit"')} / ${rate('vivace_querier_cache_requests_total', 'instance')}`,
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Caches',
          about: 'Full is as it should be; what was used last stays.',
          unit: 'bytes',
          lines: [
            [
              plain('vivace_budget_used_bytes', ',budget=~"cache|filter_cache|heads_cache|chunks"'),
              '{{budget}} {{instance}}',
            ],
          ],
        },
      ],
    },
    {
      title: 'Disks and slow reads',
      panels: [
        {
          title: 'Found on the disk',
          about:
            'Of what was read of blocks and the trace index and was not in memory. Nothing where there is no querier.disk_cache.',
          unit: 'percentunit',
          lines: [
            [
              `${rate('vivace_disk_cache_requests_total', 'instance', ',outcome="hit"')} / ${rate('vivace_disk_cache_requests_total', 'instance', ',outcome=~"hit|miss"')}`,
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Bytes read of the disk a second',
          about: 'That were not read of the store.',
          unit: 'Bps',
          lines: [[rate('vivace_disk_cache_read_bytes_total', 'instance'), '{{instance}}']],
        },
        {
          title: 'Disk in use',
          about: 'Full is as it should be; what was used last stays.',
          unit: 'percentunit',
          lines: [
            [
              `${plain('vivace_budget_used_bytes', ',budget="disk_cache"')} / on (job, instance, budget) ${plain('vivace_budget_limit_bytes')}`,
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Removed and not kept a second',
          about:
            'About as many removed as missed for long: querier.disk_cache.max_bytes is too small. Damaged and failed should stay at 0.',
          unit: 'ops',
          lines: [
            [rate('vivace_disk_cache_evictions_total', 'instance'), 'removed {{instance}}'],
            [rate('vivace_disk_cache_requests_total', 'outcome', ',outcome=~"miss|damaged"'), '{{outcome}}'],
            [rate('vivace_disk_cache_unkept_total', 'reason'), 'not kept, {{reason}}'],
          ],
        },
        {
          title: 'Reads sent once more a second',
          about:
            'Reads of the bucket that took unusually long, by the request that answered; denied: one of twenty was sent once more already.',
          unit: 'ops',
          lines: [[rate('vivace_object_store_hedged_reads_total', 'outcome'), '{{outcome}}']],
        },
      ],
    },
    {
      title: 'Frontends, queriers and ingesters apart',
      panels: [
        {
          title: 'Who knows whom',
          about: 'Failing ones are left alone for a moment.',
          unit: 'short',
          lines: [
            [plain('vivace_query_frontend_queriers'), 'queriers known to {{instance}}'],
            [plain('vivace_querier_ingesters'), 'ingesters known to {{instance}}'],
            [plain('vivace_querier_ingesters_failing'), 'ingesters failing for {{instance}}'],
          ],
        },
        {
          title: 'Queries asked again a second',
          about: 'Of another querier, because one was lost.',
          unit: 'reqps',
          lines: [
            [
              `sum by (instance) (rate(${plain('vivace_query_frontend_retries_total')}[$__rate_interval]))`,
              '{{instance}}',
            ],
          ],
        },
        {
          title: 'Logs read for ingesters that do not answer, a second',
          about: 'By queriers, from the bucket. Failures: those answers were not whole.',
          unit: 'ops',
          lines: [
            [rate('vivace_querier_log_reads_total', 'instance'), '{{instance}}'],
            [rate('vivace_querier_log_read_failures_total', 'instance'), 'failures of {{instance}}'],
          ],
        },
      ],
    },
  ],
};

const STORAGE: Dashboard = {
  uid: 'vivace-storage',
  title: 'Vivace / store, compaction, processes',
  rows: [
    {
      title: 'The store',
      panels: [
        {
          title: 'Requests a second',
          about: 'What a bucket is paid for.',
          unit: 'reqps',
          lines: [[rate(`${STORE}_count`, 'operation'), '{{operation}}']],
          stacked: true,
        },
        {
          title: 'p99 by operation',
          about: 'Acknowledgements wait for puts, cold queries for reads.',
          unit: 's',
          lines: [[quantile(0.99, STORE, 'operation'), '{{operation}}']],
        },
        {
          title: 'Failures a second',
          about: 'Not found and conflict are part of normal work.',
          unit: 'reqps',
          lines: [
            [
              rate(`${STORE}_count`, 'operation, outcome', ',outcome!~"ok|not-modified|not-found|conflict"'),
              '{{operation}} {{outcome}}',
            ],
          ],
        },
        {
          title: 'Bytes a second',
          about: 'Read by queries and merges, written by cuts, log and merges.',
          unit: 'Bps',
          lines: [[rate('vivace_object_store_bytes_total', 'direction'), '{{direction}}']],
        },
      ],
    },
    {
      title: 'Compaction',
      panels: [
        {
          title: 'Merges waiting',
          about: 'Should return to 0.',
          unit: 'short',
          lines: [[`max(${plain('vivace_compactor_waiting_jobs')})`, 'waiting']],
        },
        {
          title: 'Merges an hour',
          about: 'lost and claimed: another compactor did it.',
          unit: 'short',
          lines: [[`sum by (outcome) (increase(${plain('vivace_compactor_jobs_total')}[1h]))`, '{{outcome}}']],
        },
        {
          title: 'Time of merges',
          about: 'Of those that were done.',
          unit: 's',
          lines: [
            [quantile(0.5, 'vivace_compactor_job_duration_seconds', ''), 'p50'],
            [quantile(0.95, 'vivace_compactor_job_duration_seconds', ''), 'p95'],
          ],
        },
        {
          title: 'Blocks and errors an hour',
          about: 'Blocks merged, written and expired; what failed is tried again.',
          unit: 'short',
          lines: [
            [`sum by (change) (increase(${plain('vivace_compactor_blocks_total')}[1h]))`, 'blocks {{change}}'],
            [`sum by (task) (increase(${plain('vivace_compactor_errors_total')}[1h]))`, 'errors of {{task}}'],
            [`sum by (what) (increase(${plain('vivace_compactor_swept_total')}[1h]))`, 'swept: {{what}}'],
          ],
        },
      ],
    },
    {
      title: 'Processes',
      panels: [
        {
          title: 'Resident memory',
          about: 'Budgets, what is being encoded, and the runtime.',
          unit: 'bytes',
          lines: [[plain('process_resident_memory_bytes'), '{{instance}}']],
        },
        {
          title: 'CPU',
          about: 'Cores in use.',
          unit: 'short',
          lines: [[`rate(${plain('process_cpu_seconds_total')}[$__rate_interval])`, '{{instance}}']],
        },
        {
          title: 'Lag of the main thread, p99',
          about: 'Above 100 ms for long: too little CPU.',
          unit: 's',
          lines: [[plain('nodejs_eventloop_lag_p99_seconds'), '{{instance}}']],
        },
        {
          title: 'Versions and services',
          about: 'What runs.',
          unit: 'short',
          lines: [[`count by (target, version) (${plain('vivace_build_info')})`, '{{target}} {{version}}']],
        },
      ],
    },
  ],
};

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 2;
const WIDTH = 24 / COLUMNS;
const HEIGHT = 8;

/** The dashboards of helm/vivace/dashboards: file name and content. */
export function renderDashboards(): { file: string; text: string }[] {
  return [WRITE, READ, STORAGE].map((dashboard) => ({
    file: `${dashboard.uid.replace('vivace-', '')}.json`,
    text: `${JSON.stringify(renderDashboard(dashboard), null, 2)}\n`,
  }));
}

function renderDashboard({ uid, title, rows }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  let id = 1;
  for (const row of rows) {
    panels.push({
      id: id++,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { h: 1, w: 24, x: 0, y },
      panels: [],
    });
    y++;
    for (const [i, panel] of row.panels.entries()) {
      const gridPos = { h: HEIGHT, w: WIDTH, x: (i % COLUMNS) * WIDTH, y: y + Math.floor(i / COLUMNS) * HEIGHT };
      panels.push({ id: id++, ...renderPanel(panel), gridPos });
    }
    y += Math.ceil(row.panels.length / COLUMNS) * HEIGHT;
  }
  return {
    uid,
    title,
    tags: ['vivace'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    graphTooltip: 1,
    links: [
      { type: 'dashboards', title: 'Vivace', tags: ['vivace'], asDropdown: true, includeVars: true, keepTime: true },
    ],
    templating: {
      list: [
        { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {}, hide: 0 },
        {
          name: 'job',
          type: 'query',
          datasource: DATASOURCE,
          query: { query: 'label_values(vivace_build_info, job)', refId: 'job' },
          refresh: 2,
          multi: true,
          includeAll: true,
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels,
  };
}

function renderPanel({ title, about, unit, lines, stacked = false }: Panel): object {
  return {
    type: 'timeseries',
    title,
    description: about,
    datasource: DATASOURCE,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        custom: { lineWidth: 1, fillOpacity: stacked ? 30 : 8, stacking: { mode: stacked ? 'normal' : 'none' } },
      },
      overrides: [],
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    targets: lines.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + i),
      datasource: DATASOURCE,
      expr,
      legendFormat,
      range: true,
    })),
  };
}
