/** The strict imitation of Grafana's trace lookup, kept beside the API whose answers it judges. */
export { fetchTraceAsGrafana, type GrafanaTrace } from '@vivace/api/testing';
