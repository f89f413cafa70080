export {
  createLogger,
  LOG_FORMATS,
  LOG_LEVELS,
  type LogFormat,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  type LogStream,
} from './logger.ts';
export {
  type Counter,
  type CounterOptions,
  createMetrics,
  type Gauge,
  type GaugeOptions,
  type Histogram,
  type HistogramOptions,
  LATENCY_BUCKETS_SECONDS,
  type MetricOptions,
  type Metrics,
  type Registry,
} from './metrics.ts';
export { Seldom } from './seldom.ts';
